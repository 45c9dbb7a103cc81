package control

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

const (
	calm     = 300 * time.Millisecond // after the last answer, if all came quickly
	slowness = 3                      // times the slowest answer so far, if that is longer
)

// roll is who has answered one record, and how long that took. What is to be decided from answers
// it decides; a desk waits.
type roll struct {
	id        string
	written   time.Time
	slowest   time.Duration
	last      time.Time // when the last answer came
	processes map[string]Process
}

func newRoll(id string, written time.Time) *roll {
	return &roll{id: id, written: written, last: written, processes: map[string]Process{}}
}

// take notes an answer that has come now.
func (r *roll) take(p Process, now time.Time) {
	r.processes[p.ID] = p
	r.last, r.slowest = now, max(r.slowest, now.Sub(r.written))
}

// quietAt returns when all have answered that ever will, as far as can be told: a fleet whose
// answers come slowly is waited for longer. It is not known who reads the stream.
func (r *roll) quietAt() time.Time { return r.last.Add(max(calm, slowness*r.slowest)) }

// all returns who has answered, sorted.
func (r *roll) all() []Process {
	return slices.SortedFunc(maps.Values(r.processes), func(a, b Process) int {
		return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.Host, b.Host), cmp.Compare(a.PID, b.PID), cmp.Compare(a.ID, b.ID))
	})
}

// inquiry awaits the answers to an ask, or to an order that was written after it.
type inquiry struct {
	asked   *roll
	ordered *roll // nil while it asks

	// Of an order alone.
	targets   []string            // its names
	concerned map[string]struct{} // the ids of processes that are known to have such consumers
	late      bool                // that some of them were not known when it was written
}

// order goes on with an order for these names.
func (q *inquiry) order(r *roll, targets []string) {
	q.ordered, q.targets, q.concerned = r, targets, map[string]struct{}{}
	for _, p := range concernedOf(q.asked.all(), targets) {
		q.concerned[p.ID] = struct{}{}
	}
}

// take notes an answer that has come now. An answer to the ask that comes after the order was
// written tells of a process that is to be waited for.
func (q *inquiry) take(a answer, now time.Time) {
	switch {
	case q.ordered != nil && a.To == q.ordered.id:
		q.ordered.take(a.Process, now)
		q.concern(a.Process.ID)
	case a.To != q.asked.id:
	case q.ordered == nil:
		q.asked.take(a.Process, now)
	case len(concernedOf([]Process{a.Process}, q.targets)) > 0:
		q.concern(a.Process.ID)
	}
}

func (q *inquiry) concern(id string) {
	if _, known := q.concerned[id]; !known {
		q.concerned[id], q.late = struct{}{}, true
	}
}

// end returns when the inquiry ends, if no other answer comes. The zero time is now, and never is
// not before the caller's own end.
func (q *inquiry) end() (at time.Time, never bool) {
	r := q.asked
	if q.ordered != nil {
		r = q.ordered
	}
	switch {
	case len(r.processes) >= maxProcesses:
		return time.Time{}, false
	case q.ordered == nil:
		return r.quietAt(), len(r.processes) == 0
	case q.silent() > 0:
		return time.Time{}, true
	case q.late: // there may be more of whom nothing is known
		return r.quietAt(), false
	}
	return time.Time{}, false
}

// silent returns how many are known to have such consumers, and have not answered the order.
func (q *inquiry) silent() (n int) {
	for id := range q.concerned {
		if _, ok := q.ordered.processes[id]; !ok {
			n++
		}
	}
	return n
}
