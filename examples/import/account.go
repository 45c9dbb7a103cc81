package main

import (
	"maps"
	"slices"
)

// Account says what became of each conversation, by its id: the published ones are
// Imported, Parked or Missing, each exactly one of them.
type Account struct {
	Total     int // that there are, by the API
	Published int
	Imported  int
	Parked    int // and not imported
	Both      int // of the imported, those that were parked as well: their handler died after the work, the last time too

	Missing []string // published, and neither imported nor parked
	Strays  []string // imported or parked, and never published
	Unasked bool     // pages of the list were never published
}

// account compares ids. That the counts fit would prove nothing.
func account(b Books, parked []Parked) Account {
	inErrorQueue := map[string]bool{}
	for _, p := range parked {
		inErrorQueue[p.ID] = true
	}
	a := Account{Total: b.Total, Published: len(b.Published), Unasked: !b.Whole || len(b.Published) != b.Total}
	for id := range b.Published {
		switch {
		case b.Imported[id]:
			a.Imported++
			if inErrorQueue[id] {
				a.Both++
			}
		case inErrorQueue[id]:
			a.Parked++
		default:
			a.Missing = append(a.Missing, id)
		}
	}
	strays := maps.Clone(inErrorQueue)
	maps.Copy(strays, b.Imported)
	maps.DeleteFunc(strays, func(id string, _ bool) bool { return b.Published[id] })
	a.Strays = slices.Sorted(maps.Keys(strays))
	slices.Sort(a.Missing)
	return a
}

// OK says whether every conversation is accounted for.
func (a Account) OK() bool { return len(a.Missing) == 0 && len(a.Strays) == 0 && !a.Unasked }
