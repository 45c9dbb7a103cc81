package jobtree

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
)

// drawing draws the reports of a job: all of its nodes, without what failed attempts left.
type drawing struct {
	*rand.Rand
	nodes int // at most
	all   []Report
	// Extras are reports of nodes that no report promises: an attempt that failed emitted them.
	extras []Report
}

func (d *drawing) draw(path Path, stage string) {
	depth := path.Depth()
	r := Report{Job: "j", Path: path.String(), Stage: stage, Out: map[string]int{}}
	children, keys := d.children(path, depth)
	var hashes []Hash
	for i, child := range children {
		queue := stageName(depth + 1 + d.IntN(2))
		r.Out[queue]++
		if i < keys {
			hashes = append(hashes, child.elements()[len(child.elements())-1].key)
		}
		d.draw(child, queue)
	}
	r.Keys = Keys(hashes)
	if d.IntN(4) == 0 && !path.IsStart() && path.Agains() < 12 && d.room() {
		r.Again = true
		d.draw(path.Again(), stage)
	}
	d.all = append(d.all, r)
	d.extra(path, len(children)-keys, r)
}

func (d *drawing) room() bool { d.nodes--; return d.nodes >= 0 }

// children returns those with keys first.
func (d *drawing) children(path Path, depth int) ([]Path, int) {
	var children []Path
	if depth > 4 {
		return nil, 0
	}
	if d.IntN(3) == 0 {
		for range d.IntN(4) {
			child := path.Keyed(HashOf(string(rune('a' + d.IntN(26)))))
			if !slices.Contains(children, child) && d.room() {
				children = append(children, child)
			}
		}
	}
	keys := len(children)
	for n := range d.IntN(5) {
		if !d.room() {
			break
		}
		children = append(children, path.Child(n+1))
	}
	return children, keys
}

// extra draws what a failed attempt of this node has emitted beyond its successor.
func (d *drawing) extra(path Path, numbered int, r Report) {
	if d.IntN(8) > 0 {
		return
	}
	queue := stageName(path.Depth() + 1)
	switch d.IntN(3) {
	case 0:
		d.extras = append(d.extras, Report{Path: path.Child(numbered + 1 + d.IntN(3)).String(), Stage: queue})
	case 1:
		d.extras = append(d.extras, Report{Path: path.Keyed(HashOf("extra")).String(), Stage: queue})
	default:
		if !r.Again && !path.IsStart() {
			d.extras = append(d.extras, Report{Path: path.Again().String(), Stage: r.Stage})
		}
	}
}

// second draws the report of another attempt of the same node, which emitted other children. Those
// that only this attempt emitted are leaves, and their reports are returned with it.
func (d *drawing) second(r Report) []Report {
	path, _ := Parse(r.Path)
	again := Report{Job: "j", Path: r.Path, Stage: r.Stage, Out: map[string]int{}, Again: r.Again}
	numbered := -len(r.Keys) / 8
	for queue, n := range r.Out {
		again.Out[queue] = n
		numbered += n
	}
	queue := stageName(path.Depth() + 1)
	if more := d.IntN(3); more > 0 {
		again.Out[queue] += more
		again.Keys = r.Keys
		all := []Report{again}
		for i := range more {
			all = append(all, Report{Path: path.Child(numbered + 1 + i).String(), Stage: queue})
		}
		return all
	}
	again.Out = map[string]int{queue: numbered + 1}
	again.Keys = Keys([]Hash{HashOf("other")})
	return []Report{again, {Path: path.Keyed(HashOf("other")).String(), Stage: queue}}
}

// countsAgree compares a Tree with the model. Some of its queues may have got nothing.
func countsAgree(t *testing.T, tree *Tree, model *naive) {
	t.Helper()
	want := model.stages()
	for _, s := range tree.Stages() {
		if got := [2]int{s.Emitted, s.Done}; got != want[s.Queue] {
			t.Fatalf("%s: emitted and done are %v; the model says %v", s.Queue, got, want[s.Queue])
		}
		delete(want, s.Queue)
	}
	for queue, n := range want {
		if n != [2]int{} {
			t.Fatalf("%s is missing: %v", queue, n)
		}
	}
}

func shuffled(random *rand.Rand, reports []Report) []Report {
	random.Shuffle(len(reports), func(i, j int) { reports[i], reports[j] = reports[j], reports[i] })
	return reports
}

func add(t *testing.T, tree *Tree, r Report) {
	t.Helper()
	if err := tree.Add(r); err != nil {
		text, _ := json.Marshal(r)
		t.Fatalf("%s: %v", text, err)
	}
}

func TestADrawnJobIsCompleteWithItsLastReport(t *testing.T) {
	nodes, jobs := 0, uint64(20_000)
	if testing.Short() {
		jobs = 2_000
	}
	for seed := range jobs {
		d := &drawing{Rand: rand.New(rand.NewPCG(seed, 18)), nodes: 60}
		d.draw(Path{}, "")
		last := map[string]bool{} // what is to be seen
		for _, r := range d.all {
			last[r.Path] = true
		}
		nodes += len(d.all)
		reports := slices.Clone(d.all)
		for _, r := range d.all {
			if d.IntN(2) == 0 {
				reports = append(reports, r)
			}
		}
		tree, model := New(), newNaive()
		for _, r := range shuffled(d.Rand, slices.Concat(reports, d.extras)) {
			add(t, tree, r)
			model.add(r)
			delete(last, r.Path)
			if tree.Complete() != (len(last) == 0) {
				t.Fatalf("seed %d: Complete is %t with %d reports missing", seed, tree.Complete(), len(last))
			}
		}
		if !tree.Complete() || !tree.Started() {
			t.Fatalf("seed %d: not complete", seed)
		}
		countsAgree(t, tree, model)
	}
	t.Logf("%d nodes", nodes)
}

func TestADrawnTreeIsTheUnionOfWhatAllAttemptsReported(t *testing.T) {
	trees := uint64(4_000)
	if testing.Short() {
		trees = 500
	}
	for seed := range trees {
		d := &drawing{Rand: rand.New(rand.NewPCG(seed, 19)), nodes: 30}
		d.draw(Path{}, "")
		reports := slices.Concat(d.all, d.extras)
		for _, r := range reports {
			if d.IntN(3) == 0 {
				reports = append(reports, d.second(r)...)
			}
		}
		tree, model := New(), newNaive()
		for _, r := range shuffled(d.Rand, reports) {
			add(t, tree, r)
			model.add(r)
			if tree.Complete() != model.complete() {
				t.Fatalf("seed %d: Complete is %t; the model says %t", seed, tree.Complete(), model.complete())
			}
			countsAgree(t, tree, model)
		}
		if !tree.Complete() {
			t.Fatalf("seed %d: not complete", seed)
		}
	}
}
