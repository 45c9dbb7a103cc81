package partitions_test

import (
	"fmt"
	"maps"
	"slices"
)

// facts are what a run has left.
type facts struct {
	published []message // in their order
	ledger    []entry
	parked    map[string]int // message id to how often it is in the error queue
	left      map[string]int // queue to messages in it, of those that should be empty
	poison    func(message) bool
	partition func(key string) string // its consumer's name
	tries     int
}

// verdict is what an audit finds.
type verdict struct {
	inversions []string // effects, and beginnings, before an earlier message of the key was through
	backwards  []string // processes that went back without a reason
	wrong      []string // lost, or neither done nor parked as it should be

	published, effects, failed, parked int
	twice                              int // effects that their message had already
	fresh                              int // of these, on a delivery that was not marked as redelivered
	sessions                           int // that processes have lost
	behind                             int // messages with an effect behind a parked one of their key
}

// through is how far a message has come.
type through struct {
	effects int
	failed  map[string]int // by process, since it began last
	gaveUp  bool           // all tries of one delivery have failed
}

// line is a key's messages, in order.
type line struct {
	last     int
	messages map[int]*through
	next     int // all before have an effect or were given up
}

func newLine(last int) *line {
	l := &line{last: last, messages: map[int]*through{}, next: 1}
	for n := 1; n <= last; n++ {
		l.messages[n] = &through{failed: map[string]int{}}
	}
	return l
}

func (l *line) advance() {
	for l.next <= l.last && (l.messages[l.next].effects > 0 || l.messages[l.next].gaveUp) {
		l.next++
	}
}

// audit makes the account. See doc.go for what the words mean.
func audit(f facts) verdict {
	v := verdict{published: len(f.published)}
	keys := map[string]*line{}
	for _, m := range f.published {
		keys[m.Key] = newLine(m.N)
	}
	for _, e := range f.ledger {
		if e.what == lost {
			v.sessions++
			continue
		}
		l := keys[e.Key]
		if l == nil || l.messages[e.N] == nil {
			v.wrong = append(v.wrong, fmt.Sprintf("%s by %s of %s: it was not published", e.what, e.process, e.id()))
			continue
		}
		v.follow(f, l, e)
	}
	v.checkDirections(f)
	v.checkEnds(f, keys)
	return v
}

// follow takes one line of the ledger.
func (v *verdict) follow(f facts, l *line, e entry) {
	m := l.messages[e.N]
	inverted := e.N > l.next
	switch e.what {
	case begun:
		m.failed[e.process] = 0
		if inverted {
			v.inversions = append(v.inversions, fmt.Sprintf("%s begins %s when %d is next", e.process, e.id(), l.next))
		}
	case failed:
		v.failed++
		m.failed[e.process]++
		m.gaveUp = m.gaveUp || m.failed[e.process] >= f.tries
	case effect:
		v.effects++
		m.effects++
		switch {
		case m.effects > 1:
			v.twice++
			if !e.again {
				v.fresh++
			}
		case inverted:
			v.inversions = append(v.inversions, fmt.Sprintf("%s has done %s when %d was next", e.process, e.id(), l.next))
		}
	}
	l.advance()
}

// checkDirections: a process goes back to an earlier message of a key once for each session that
// its consumer of the partition has lost, at most.
func (v *verdict) checkDirections(f facts) {
	type hand struct{ process, key string }
	last, back, sessions := map[hand]int{}, map[hand]int{}, map[hand]int{}
	for _, e := range f.ledger {
		h := hand{e.process, e.Key}
		switch e.what {
		case lost:
			sessions[h]++
		case begun:
			if e.N <= last[h] {
				back[h]++
				if n := sessions[hand{e.process, f.partition(e.Key)}]; back[h] > n {
					v.backwards = append(v.backwards, fmt.Sprintf("%s begins %s after %d, and has lost %d sessions", e.process, e.id(), last[h], n))
				}
			}
			last[h] = e.N
		}
	}
}

// checkEnds: what was published has an effect or is parked, and poison alone is parked.
func (v *verdict) checkEnds(f facts, keys map[string]*line) {
	wrong := func(format string, args ...any) { v.wrong = append(v.wrong, fmt.Sprintf(format, args...)) }
	published, stood := map[string]bool{}, map[string]bool{}
	for _, m := range f.published {
		published[m.id()] = true
		n, effects := f.parked[m.id()], keys[m.Key].messages[m.N].effects
		if stood[m.Key] && effects > 0 {
			v.behind++
		}
		stood[m.Key] = stood[m.Key] || n > 0
		switch poison := f.poison(m); {
		case n == 0 && effects == 0:
			wrong("%s has no effect and is not parked: LOST", m.id())
		case poison && effects > 0:
			wrong("%s fails always, and has %d effects", m.id(), effects)
		case !poison && n > 0:
			wrong("%s is parked %d times, and has %d effects", m.id(), n, effects)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(f.parked)) {
		v.parked++
		if !published[id] {
			wrong("%s is parked, and was not published", id)
		}
	}
	for _, queue := range slices.Sorted(maps.Keys(f.left)) {
		wrong("%d messages are left in %s", f.left[queue], queue)
	}
}

func (v verdict) String() string {
	return fmt.Sprintf("%d published, %d effects, %d twice (%d on a fresh delivery), %d tries failed, %d parked, %d done behind them; %d sessions lost; %d inversions, %d backwards, %d wrong",
		v.published, v.effects, v.twice, v.fresh, v.failed, v.parked, v.behind, v.sessions, len(v.inversions), len(v.backwards), len(v.wrong))
}
