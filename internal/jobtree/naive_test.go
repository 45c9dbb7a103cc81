package jobtree

import (
	"slices"
	"strconv"
)

// naive is what a Tree is to know, as sets of paths.
type naive struct {
	reported map[string]Report // with what all reports of the path have said
	numbered map[string]int
	promised map[string]bool
	done     map[string]int
}

func newNaive() *naive {
	return &naive{map[string]Report{}, map[string]int{}, map[string]bool{"": true}, map[string]int{}}
}

func (m *naive) add(r Report) {
	path, err := Parse(r.Path)
	if err != nil {
		panic(err)
	}
	all, known := m.reported[r.Path]
	if !known {
		m.done[r.Stage]++
		all = Report{Stage: r.Stage, Out: map[string]int{}}
	}
	n := -len(r.Keys) / 8
	for queue, emitted := range r.Out {
		all.Out[queue] = max(all.Out[queue], emitted)
		n += emitted
	}
	all.Again = all.Again || r.Again
	m.reported[r.Path] = all
	for i := m.numbered[r.Path] + 1; i <= n; i++ {
		m.promised[path.Child(i).String()] = true
	}
	m.numbered[r.Path] = max(m.numbered[r.Path], n)
	for key := range slices.Chunk(r.Keys, 8) {
		m.promised[path.Keyed(Hash(key)).String()] = true
	}
	if r.Again {
		m.promised[path.Again().String()] = true
	}
}

func (m *naive) complete() bool {
	for path := range m.promised {
		if _, ok := m.reported[path]; !ok {
			return false
		}
	}
	return true
}

// stages returns emitted and done by queue.
func (m *naive) stages() map[string][2]int {
	all := map[string][2]int{}
	for _, r := range m.reported {
		for queue, n := range r.Out {
			all[queue] = [2]int{all[queue][0] + n, 0}
		}
		if r.Again {
			all[r.Stage] = [2]int{all[r.Stage][0] + 1, 0}
		}
	}
	for queue, n := range m.done {
		if queue != "" {
			all[queue] = [2]int{all[queue][0], n}
		}
	}
	return all
}

func stageName(i int) string { return "stage" + strconv.Itoa(i) }
