package main

import (
	"maps"
	"slices"
)

// Audit says what became of each conversation, by its id. Each published one is exactly one of
// Imported, Parked and Missing.
type Audit struct {
	Total     int // conversations that the API says there are
	Published int
	Imported  int
	Parked    int // and not imported
	Both      int // imported, and parked as well: the handler died after the work at every attempt

	Missing []string // published, and neither imported nor parked
	Strays  []string // imported or parked, and never published
	Unasked bool     // pages of the list were never published
}

// audit compares the ids of one account. Counts that fit would prove nothing.
func audit(b Book, parked []Parked) Audit {
	inErrorQueue := map[string]bool{}
	for _, p := range parked {
		inErrorQueue[p.ID] = true
	}
	a := Audit{Total: b.Total, Published: len(b.Published), Unasked: !b.Whole || len(b.Published) != b.Total}
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
func (a Audit) OK() bool { return len(a.Missing) == 0 && len(a.Strays) == 0 && !a.Unasked }

// plus adds the audit of another account.
func (a Audit) plus(b Audit) Audit {
	return Audit{
		Total: a.Total + b.Total, Published: a.Published + b.Published,
		Imported: a.Imported + b.Imported, Parked: a.Parked + b.Parked, Both: a.Both + b.Both,
		Missing: slices.Concat(a.Missing, b.Missing), Strays: slices.Concat(a.Strays, b.Strays),
		Unasked: a.Unasked || b.Unasked,
	}
}

// auditAll compares the ids of all accounts. What is parked for none of them is a stray.
func auditAll(books Books, accounts []string, parked []Parked) (sum Audit, each map[string]Audit) {
	each = map[string]Audit{}
	rest := slices.Clone(parked)
	for _, name := range accounts {
		var its []Parked
		rest = slices.DeleteFunc(rest, func(p Parked) bool {
			if p.Account == name {
				its = append(its, p)
			}
			return p.Account == name
		})
		each[name] = audit(books[name], its)
		sum = sum.plus(each[name])
	}
	return sum.plus(audit(Book{Whole: true}, rest)), each
}
