package main

import (
	"maps"
	"slices"
)

// Account says what became of each conversation, by its id. Each published one is exactly one of
// Imported, Parked and Missing.
type Account struct {
	Total     int // conversations that the API says there are
	Published int
	Imported  int
	Parked    int // and not imported
	Both      int // imported, and parked as well: the handler died after the work at every attempt

	Missing []string // published, and neither imported nor parked
	Strays  []string // imported or parked, and never published
	Unasked bool     // pages of the list were never published
}

// account compares ids. Counts that fit would prove nothing.
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
