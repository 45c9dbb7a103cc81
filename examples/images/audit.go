package main

import (
	"fmt"
	"maps"
	"slices"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
)

// Facts are what a run has left, as found after it.
type Facts struct {
	Requests []Request
	Counts   Counts
	Results  map[string]error // why a result is wrong, or nil, by the ids of all results
	Parked   []Parked
	Waiting  int // messages that are in the queues and will not be handled any more
}

// Account says what became of each request, by its id.
type Account struct {
	Refused  int
	Done     int
	Parked   map[string]int // requests, by reason
	Copies   int            // that were published more than once
	Again    int            // results that were written again
	Unneeded int            // notices beyond the first of each request
	Skipped  int            // deliveries that no work was done for

	Wrong []string // what does not add up
}

// OK says whether everything adds up.
func (a Account) OK() bool { return len(a.Wrong) == 0 }

// audit compares ids. Counts that fit would prove nothing.
func audit(f Facts) Account {
	a := Account{Parked: map[string]int{}, Skipped: f.Counts.Took - drill.Sum(f.Counts.Began)}
	deaths := f.Counts.Killed + f.Counts.Died
	parked := map[string][]Parked{}
	for _, p := range f.Parked {
		parked[p.ID] = append(parked[p.ID], p)
	}
	known := map[string]bool{}
	for _, r := range f.Requests {
		known[r.ID] = true
		a.one(r, f, parked[r.ID], deaths)
	}
	for _, ids := range [][]string{keys(f.Results), keys(parked), keys(f.Counts.Notices)} {
		for _, id := range ids {
			a.check(known[id], id, "nobody has asked for it")
		}
	}
	a.check(f.Waiting == 0, "queues", fmt.Sprintf("%d messages are left in them", f.Waiting))
	return a
}

// one is the account of one request. Each death of a worker can have one request handled, parked or
// told again that was done and not acked.
func (a *Account) one(r Request, f Facts, parked []Parked, deaths int) {
	published, notices := f.Counts.Published[r.ID], f.Counts.Notices[r.ID]
	wrong, finished := f.Results[r.ID]
	a.Copies += max(published-1, 0)
	a.Unneeded += max(notices-1, 0)
	if r.Want == refused {
		a.check(f.Counts.Refused[r.ID] != nil && published == 0, r.ID, "it should have been refused by the publisher")
		a.check(!finished && len(parked) == 0, r.ID, "it was refused, and there is something of it")
		a.Refused++
		return
	}
	a.check(published == r.copies(), r.ID, fmt.Sprintf("it was published %d times, want %d", published, r.copies()))
	a.check(wrong == nil, r.ID, fmt.Sprint("its result is wrong: ", wrong))
	switch {
	case finished:
		a.Done++
		a.Again += max(f.Counts.Painted[r.ID]-1, 0)
		a.check(r.Want == done, r.ID, "it is done, and should be parked: "+r.Want)
		a.check(notices > 0, r.ID, "it is done, and the requester does not know")
		a.check(len(parked) == 0 || deaths > 0, r.ID, "it is done, and parked as well")
	case len(parked) > 0:
		a.Parked[parked[0].Reason]++
		a.check(notices == 0, r.ID, "it is parked, and the requester was told that it is done")
		for _, p := range parked {
			innocent := p.Reason == "crashed" && deaths >= maxCrashes // killed too often, as chance has it
			a.check(p.Reason == r.Want || innocent, r.ID, fmt.Sprintf("it is parked as %s (%s), want %s", p.Reason, p.Error, r.Want))
		}
	default:
		a.check(false, r.ID, "it is lost: neither done nor parked")
	}
	a.check(len(parked) <= published+deaths, r.ID, fmt.Sprintf("it is parked %d times", len(parked)))
	a.check(notices <= published+deaths, r.ID, fmt.Sprintf("the requester was told %d times", notices))
}

func (a *Account) check(ok bool, id, otherwise string) {
	if !ok {
		a.Wrong = append(a.Wrong, id+": "+otherwise)
	}
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
