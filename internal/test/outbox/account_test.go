package outbox_test

import (
	"fmt"
	"maps"
	"slices"

	"github.com/bunnicula-go/bunnicula/outbox"
)

// entry is a committed line of the ledger.
type entry struct {
	message
	cancelled bool
}

// effect is what a handler has written, in the order in which it was.
type effect struct {
	consumer, id string
	early        bool
}

// row is one that is left in the outbox.
type row struct {
	id, job string
	state   outbox.State
}

// facts are what a run has left.
type facts struct {
	ledger   []entry
	witness  []message // what was published, in the broker's order
	effects  []effect
	parked   map[string]string // id to reason, of messages in error queues
	rows     []row
	leftOver map[string]int // messages in queues where none should be
}

// verdict is what audit finds.
type verdict struct {
	complaints []string // what is wrong
	summary    string   // what was looked at
}

func (v *verdict) wrong(format string, args ...any) {
	v.complaints = append(v.complaints, fmt.Sprintf(format, args...))
}

// audit compares what was committed with what came of it.
func audit(f facts) verdict {
	var v verdict
	committed := map[string]entry{}
	kinds := map[kind]int{}
	for _, e := range f.ledger {
		committed[e.ID] = e
		kinds[e.Kind]++
	}
	published := f.checkPublished(&v, committed)
	f.checkEffects(&v, committed, published)
	f.checkOrder(&v)
	f.checkRows(&v, committed)
	for queue, n := range f.leftOver {
		v.wrong("%d messages are left in %s", n, queue)
	}
	repeats := 0
	for _, n := range published {
		repeats += n - 1
	}
	v.summary = fmt.Sprintf("%d work, %d mail, %d poison, %d nowhere, %d far committed; %d ids published, %d repeats; %d effects, %d parked",
		kinds[work], kinds[mail], kinds[poison], kinds[nowhere], kinds[far], len(published), repeats, len(f.effects), len(f.parked))
	return v
}

// checkPublished: committed is published, and nothing else is. It returns how often each id was.
func (f facts) checkPublished(v *verdict, committed map[string]entry) map[string]int {
	published := map[string]int{}
	for _, m := range f.witness {
		published[m.ID]++
	}
	for id := range published {
		switch e, ok := committed[id]; {
		case !ok:
			v.wrong("%s was published, and its transaction was rolled back", id)
		case !e.Kind.published():
			v.wrong("%s was published, and is %s", id, e.Kind)
		}
	}
	for id, e := range committed {
		switch {
		case e.Kind.published() && published[id] == 0:
			v.wrong("%s (%s) was committed, and not published: LOST", id, e.Kind)
		case e.cancelled != (e.Kind == far):
			v.wrong("%s (%s): cancelled is %v", id, e.Kind, e.cancelled)
		}
	}
	return published
}

// checkEffects: what was published has one effect, or none and is parked; and not before what it
// needs.
func (f facts) checkEffects(v *verdict, committed map[string]entry, published map[string]int) {
	effects, at := map[string]int{}, map[string]int{}
	for i, e := range f.effects {
		effects[e.id]++
		at[e.id] = i
		if e.early {
			v.wrong("%s was handled before it was due", e.id)
		}
		if published[e.id] == 0 {
			v.wrong("%s has an effect, and was not published", e.id)
		}
	}
	for id := range published {
		e := committed[id]
		reason, parked := f.parked[id]
		want := 1
		if e.Kind == poison {
			want = 0
		}
		if effects[id] != want || parked != (e.Kind == poison) {
			v.wrong("%s (%s) has %d effects; parked: %v %s", id, e.Kind, effects[id], parked, reason)
		}
		if needed, ok := at[e.Needs]; e.Needs != "" && (!ok || effects[id] > 0 && needed > at[id]) {
			v.wrong("%s was handled before %s, which it needs", id, e.Needs)
		}
	}
	for id := range f.parked {
		if published[id] == 0 {
			v.wrong("%s is parked, and was not published", id)
		}
	}
}

// checkOrder: the first publishes of a key's messages are in their order, without a gap.
func (f facts) checkOrder(v *verdict) {
	last := map[string]int{}
	for _, m := range f.witness {
		switch {
		case m.Key == "" || m.N <= last[m.Key]:
		case m.N == last[m.Key]+1:
			last[m.Key] = m.N
		default:
			v.wrong("key %s: %d (%s) was published when %d was next", m.Key, m.N, m.ID, last[m.Key]+1)
			last[m.Key] = m.N
		}
	}
}

// checkRows: only rows of jobs are left, all done but poison; and what goes nowhere, given up.
func (f facts) checkRows(v *verdict, committed map[string]entry) {
	left := map[string]row{}
	for _, r := range f.rows {
		left[r.id] = r
	}
	for _, id := range slices.Sorted(maps.Keys(committed)) {
		e := committed[id]
		r, ok := left[id]
		delete(left, id)
		fine := !ok
		switch {
		case e.Kind == nowhere:
			fine = ok && r.state == outbox.Failed
		case e.Job != "" && e.Kind == poison: // a process that dies may not have told
			fine = ok && (r.state == outbox.Sent || r.state == outbox.Parked)
		case e.Job != "":
			fine = ok && r.state == outbox.Done
		}
		if !fine {
			v.wrong("%s (%s, job %q) has a row: %v, %s (%d)", id, e.Kind, e.Job, ok, r.state, r.state)
		}
	}
	for id := range left {
		v.wrong("%s has a row, and is not in the ledger", id)
	}
}
