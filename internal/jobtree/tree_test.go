package jobtree

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAnEmptyJobIsCompleteWithItsStart(t *testing.T) {
	tree := New()
	if tree.Complete() || tree.Started() {
		t.Error("a Tree without reports is complete or started")
	}
	add(t, tree, Report{})
	if !tree.Complete() || !tree.Started() || len(tree.Stages()) != 0 {
		t.Errorf("complete %t, started %t, stages %v", tree.Complete(), tree.Started(), tree.Stages())
	}
}

func TestStagesAreInTheOrderOfTheJob(t *testing.T) {
	tree := New()
	add(t, tree, Report{Path: "1.1", Stage: "alpha"})
	add(t, tree, Report{Path: "1", Stage: "zebra", Out: map[string]int{"alpha": 3, "beta": 1, "none": 0}, Again: true})
	want := []Stage{{"zebra", 1, 1}, {"alpha", 3, 1}, {"beta", 1, 0}}
	if got := tree.Stages(); !slices.Equal(got, want) {
		t.Errorf("stages are %v; want %v", got, want)
	}
}

// What a failed attempt emitted with other keys is as many as its successor's, and no substitute.
func TestKeyedChildrenOfAFailedAttemptDoNotCompleteTheJob(t *testing.T) {
	tree := New()
	add(t, tree, Report{Out: map[string]int{"rows": 2}, Keys: Keys([]Hash{HashOf("c"), HashOf("d")})})
	for _, key := range []string{"a", "b", "c"} {
		add(t, tree, Report{Path: Path{}.Keyed(HashOf(key)).String(), Stage: "rows"})
		if tree.Complete() {
			t.Fatalf("complete with %q, without \"d\"", key)
		}
	}
	add(t, tree, Report{Path: Path{}.Keyed(HashOf("d")).String(), Stage: "rows"})
	if got := tree.Stages(); !tree.Complete() || !slices.Equal(got, []Stage{{"rows", 2, 4}}) {
		t.Errorf("complete %t, stages %v", tree.Complete(), got)
	}
}

// The ack of the first attempt was lost after its report. The second one found more to do.
func TestALargerSecondReportOfANodeThatWasDoneIsWaitedFor(t *testing.T) {
	tree := New()
	add(t, tree, Report{Path: "1", Stage: "accounts"})
	add(t, tree, Report{Path: "2", Stage: "accounts", Out: map[string]int{"rows": 1}})
	add(t, tree, Report{Path: "2.1", Stage: "rows"})
	add(t, tree, Report{Path: "1", Stage: "accounts", Out: map[string]int{"rows": 1}})
	add(t, tree, Report{Path: "2", Stage: "accounts", Out: map[string]int{"rows": 2}})
	add(t, tree, Report{Out: map[string]int{"accounts": 2}})
	for _, path := range []string{"1.1", "2.2"} {
		if tree.Complete() {
			t.Fatalf("complete without %s", path)
		}
		add(t, tree, Report{Path: path, Stage: "rows"})
	}
	if got := tree.Stages(); !tree.Complete() || !slices.Equal(got, []Stage{{"accounts", 2, 2}, {"rows", 3, 3}}) {
		t.Errorf("complete %t, stages %v", tree.Complete(), got)
	}
}

func TestAddRefusesWhatCannotBeAReport(t *testing.T) {
	tests := []struct {
		report    Report
		complaint string
	}{
		{Report{Path: "0", Stage: "q"}, `path "0": element 1 is "0"`},
		{Report{Path: "1"}, `report of path "1": stage is empty`},
		{Report{Job: "j", Again: true}, `report of the start of job "j": it has no continuation`},
		{Report{Path: "1", Stage: "q", Keys: make([]byte, 7)}, `keys have 7 bytes; want 8 for each`},
		{Report{Path: "1", Stage: "q", Keys: make([]byte, 8*(MaxKeys+1))}, `keys have 80008 bytes; want 8 for each, and at most 10000 keys`},
		{Report{Path: "1", Stage: "q", Keys: make([]byte, 16)}, `key 0000000000000000 comes after 0000000000000000`},
		{Report{Path: "1", Stage: "q", Keys: make([]byte, 8)}, `out has 1 children fewer than the 1 keys`},
		{Report{Path: "1", Stage: "q", Out: map[string]int{"r": -1}}, `out has -1 for the queue "r"`},
		{Report{Path: "1", Stage: "q", Out: map[string]int{"": 1}}, `out has 1 for the queue ""`},
		{Report{Path: "1", Stage: "q", Out: map[string]int{"r": MaxNumber, "s": 1}}, `out has more than 2147483647 children`},
	}
	tree := New()
	for _, test := range tests {
		if err := tree.Add(test.report); err == nil || !strings.Contains(err.Error(), test.complaint) {
			t.Errorf("Add(%+v): %v; want %s", test.report, err, test.complaint)
		}
	}
	if !reflect.DeepEqual(tree, New()) {
		t.Error("a report that was refused has changed the Tree")
	}
}

// cost measures what a Tree keeps, and how long it took to add the reports.
type cost struct {
	reports int
	took    time.Duration
	most    uint64 // KiB, in steps of 100,000 reports
	kept    uint64 // KiB
}

func (c cost) String() string {
	return fmt.Sprintf("%d reports in %v, %d KiB at most, %d KiB at the end",
		c.reports, c.took.Round(time.Millisecond), c.most, c.kept)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// measured adds n reports, which are made one by one so that they need no memory.
func measured(t *testing.T, n int, report func(i int) Report) (*Tree, cost) {
	t.Helper()
	before := heap()
	tree := New()
	c := cost{reports: n}
	kept := func() uint64 { return (max(heap(), before) - before) >> 10 }
	for done := 0; done < n; {
		step := min(n, done+100_000)
		begin := time.Now()
		for ; done < step; done++ {
			add(t, tree, report(done))
		}
		c.took += time.Since(begin)
		c.most = max(c.most, kept())
	}
	c.kept = kept()
	runtime.KeepAlive(report)
	t.Log(c)
	return tree, c
}

// million returns a tenth in a short test.
func million() int {
	if testing.Short() {
		return 100_000
	}
	return 1_000_000
}

func leafReport(n int) Report { return Report{Path: Path{}.Child(n).String(), Stage: "rows"} }

func TestAMillionLeavesInOrderNeedLittleMemory(t *testing.T) {
	// 1 % come late: they have failed, and come in another order.
	random := rand.New(rand.NewPCG(1, 1))
	million := million()
	late := map[int]bool{}
	for len(late) < million/100 {
		late[random.IntN(million)+1] = true
	}
	order := make([]int, 0, million)
	var behind []int
	for n := 1; n <= million; n++ {
		if late[n] {
			behind = append(behind, n)
		} else {
			order = append(order, n)
		}
	}
	random.Shuffle(len(behind), func(i, j int) { behind[i], behind[j] = behind[j], behind[i] })
	order = append(order, behind...)
	tree, c := measured(t, million, func(i int) Report { return leafReport(order[i]) })
	runtime.KeepAlive(order)
	if c.most > 512 || c.kept > 256 {
		t.Errorf("want at most 512 KiB, and 256 KiB at the end")
	}
	add(t, tree, Report{Out: map[string]int{"rows": million}})
	if !tree.Complete() {
		t.Error("not complete")
	}
}

func TestAMillionLeavesInRandomOrderNeedFewMegabytes(t *testing.T) {
	million := million()
	order := rand.New(rand.NewPCG(1, 1)).Perm(million)
	tree, c := measured(t, million, func(i int) Report { return leafReport(order[i] + 1) })
	runtime.KeepAlive(order)
	if c.most > 8<<10 || c.kept > 256 {
		t.Errorf("want at most 8 MiB, and 256 KiB at the end")
	}
	if add(t, tree, Report{Out: map[string]int{"rows": million}}); !tree.Complete() {
		t.Error("not complete")
	}
}

// Every account is done before the first of its transactions. There are two for each.
func TestAMillionNodesWhoseChildrenWaitNeedLittleMemory(t *testing.T) {
	accounts := million() / 2
	tree, c := measured(t, 3*accounts, func(i int) Report {
		if i < accounts {
			return Report{Path: Path{}.Child(i + 1).String(), Stage: "accounts", Out: map[string]int{"rows": 2}}
		}
		i -= accounts
		return Report{Path: Path{}.Child(i/2 + 1).Child(i%2 + 1).String(), Stage: "rows"}
	})
	if c.most > 512 || c.kept > 256 {
		t.Errorf("want at most 512 KiB, and 256 KiB at the end")
	}
	if add(t, tree, Report{Out: map[string]int{"accounts": accounts}}); !tree.Complete() {
		t.Error("not complete")
	}
}

// Nodes of which some children are done and others not are the most that a Tree can have to keep.
func TestANodeInProgressNeedsLessThanHalfAKibibyte(t *testing.T) {
	accounts := million() / 2
	order := rand.New(rand.NewPCG(1, 1)).Perm(3 * accounts)
	tree, c := measured(t, 3*accounts, func(i int) Report {
		i = order[i]
		if i < accounts {
			return Report{Path: Path{}.Child(i + 1).String(), Stage: "accounts", Out: map[string]int{"rows": 2}}
		}
		i -= accounts
		return Report{Path: Path{}.Child(i/2 + 1).Child(i%2 + 1).String(), Stage: "rows"}
	})
	runtime.KeepAlive(order)
	if c.most > uint64(accounts)/2 || c.kept > 256 {
		t.Errorf("want at most %d KiB, and 256 KiB at the end", accounts/2)
	}
	if add(t, tree, Report{Out: map[string]int{"accounts": accounts}}); !tree.Complete() {
		t.Error("not complete")
	}
}

func TestANodeWithGrandchildrenNeedsLessThanHalfAKibibyte(t *testing.T) {
	nodes := million() / 10
	_, c := measured(t, 3*nodes, func(i int) Report {
		path := Path{}.Child(i/3 + 1)
		switch i % 3 {
		case 0:
			return Report{Path: path.String(), Stage: "banks", Out: map[string]int{"accounts": 1}}
		case 1:
			return Report{Path: path.Child(1).String(), Stage: "accounts", Out: map[string]int{"rows": 1}}
		}
		return Report{Path: path.Child(1).Child(1).String(), Stage: "rows"}
	})
	if c.kept > uint64(nodes)/2 {
		t.Errorf("want at most %d KiB", nodes/2)
	}
}

func TestAChainOfContinuationsCostsTheSameForEach(t *testing.T) {
	const pages = 10_000
	orders := map[string]func(i int) int{
		"in order": func(i int) int { return i },
		"backward": func(i int) int { return pages - i },
	}
	for name, page := range orders {
		t.Run(name, func(t *testing.T) {
			texts := make([]string, pages+1)
			p := Path{}.Child(1)
			for i := range texts {
				texts[i] = p.String()
				p = p.Again()
			}
			tree, c := measured(t, pages+1, func(i int) Report {
				n := page(i)
				return Report{Path: texts[n], Stage: "accounts", Again: n < pages}
			})
			add(t, tree, Report{Out: map[string]int{"accounts": 1}})
			if !tree.Complete() || !slices.Equal(tree.Stages(), []Stage{{"accounts", pages + 1, pages + 1}}) {
				t.Errorf("complete %t, stages %v", tree.Complete(), tree.Stages())
			}
			if c.took > 2*time.Second || c.kept > 64 {
				t.Errorf("want at most 2 s, and 64 KiB at the end")
			}
		})
	}
}

// Nothing that a stranger can write into a path makes a Tree allocate for what is not there.
func TestALargeNumberNeedsNoMemory(t *testing.T) {
	tree, c := measured(t, 1000, func(i int) Report {
		text := fmt.Sprintf("%d~%d.%d", MaxNumber-i*5000, MaxNumber-i, MaxNumber)
		return Report{Path: text, Stage: "q", Out: map[string]int{"q": MaxNumber}, Again: true}
	})
	if c.kept > 2<<10 || tree.Complete() {
		t.Errorf("want at most 2 MiB")
	}
}
