package upgrade_test

import (
	"fmt"
	"slices"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/upgrade/order"
)

// evidence is all that is known when everything has ended.
type evidence struct {
	confirmed []order.Order
	journal   []order.Entry
	left      []parcel
	twice     int // messages that may have ended twice
}

// parcel is a message that was left in a queue.
type parcel struct {
	order.Order
	queue  string
	parked bool // it is an error queue
	header map[string]any
}

// verdict is what the audit found.
type verdict struct {
	acked, parked, crashed int // messages
	lost, twice            int
	begun                  int // the most attempts at a message that kills
	complaints             []string
}

// life is what is known of one message.
type life struct {
	order.Order
	confirmed bool
	begun     []int // attempts
	at        []time.Time
	acks      int
	left      []parcel
}

// goesOn is how long a message may kill after the MaxCrashes-th time: for its hearing of 20 s, and
// until a worker looks again.
const goesOn = 45 * time.Second

// reasons say why messages are parked that ask for it.
var reasons = map[string]string{order.Always: "retries-exhausted", order.Error: "error", order.Kill: "crashed"}

// audit judges. It decides from values alone.
func audit(e evidence) verdict {
	var v verdict
	for _, l := range e.lives(&v) {
		v.judge(l)
	}
	if v.twice > e.twice {
		v.complain("%d messages ended twice, want %d at most", v.twice, e.twice)
	}
	return v
}

func (v *verdict) complain(format string, args ...any) {
	v.complaints = append(v.complaints, fmt.Sprintf(format, args...))
}

// lives sorts the evidence by message.
func (e evidence) lives(v *verdict) map[string]*life {
	all := map[string]*life{}
	find := func(o order.Order) *life {
		key := fmt.Sprintf("%s-%d", o.Lane, o.N)
		if all[key] == nil {
			all[key] = &life{Order: o}
		}
		return all[key]
	}
	for _, o := range e.confirmed {
		find(o).confirmed = true
	}
	for _, entry := range e.journal {
		l := find(entry.Order)
		if entry.Altered != "" {
			v.complain("%v is altered: %s", entry.Order, entry.Altered)
		}
		switch entry.Said {
		case "":
			l.begun, l.at = append(l.begun, entry.Attempt), append(l.at, entry.At)
		case "Ack()":
			l.acks++
			if entry.Do == order.Forward { // its handler had a confirm
				find(order.Order{Lane: entry.Lane, N: entry.N + order.Forwarded, Do: order.Ack}).confirmed = true
			}
		}
	}
	for _, p := range e.left {
		l := find(p.Order)
		l.left = append(l.left, p)
	}
	return all
}

func (v *verdict) judge(l *life) {
	ends := l.acks
	for _, p := range l.left {
		if p.parked {
			ends++
			v.judgeParked(l, p)
		}
	}
	switch {
	case ends == 0 && len(l.left) > 0:
		v.complain("%v stands in %s, and nobody has handled it to an end", l.Order, l.left[0].queue)
	case ends == 0 && l.confirmed:
		v.lost++
		v.complain("%v is LOST: attempts %v began", l.Order, l.begun)
	case ends > 1:
		v.twice++
	}
	if l.acks > 0 {
		v.acked++
	}
	if l.Do == order.Kill {
		v.begun = max(v.begun, len(l.begun))
	}
	if n := len(l.at); l.Do == order.Kill && n > order.MaxCrashes && l.at[n-1].Sub(l.at[order.MaxCrashes-1]) > goesOn {
		v.complain("%v has killed %d times, the last time %s after the %dth", l.Order, n, l.at[n-1].Sub(l.at[order.MaxCrashes-1]), order.MaxCrashes)
	}
	for _, at := range l.at {
		if due := time.UnixMilli(l.Due); l.Do == order.Delayed && at.Before(due) {
			v.complain("%v was handled %s before it was due", l.Order, due.Sub(at))
		}
	}
	for _, attempt := range l.begun {
		if attempt < 1 || attempt > order.MaxRetries+1 {
			v.complain("%v: a handler saw attempt %d", l.Order, attempt)
		}
	}
}

func (v *verdict) judgeParked(l *life, p parcel) {
	v.parked++
	why, _ := p.header[reason].(string)
	if why == reasons[order.Kill] {
		v.crashed++
	}
	tried, _ := p.header[retryAttempts].(int64)
	switch {
	case reasons[l.Do] == "":
		v.complain("%v is parked as %q, and would have succeeded: attempts %v began", l.Order, why, l.begun)
	case why != reasons[l.Do]:
		v.complain("%v is parked as %q, want %q", l.Order, why, reasons[l.Do])
	case l.Do == order.Always && tried != order.MaxRetries:
		v.complain("%v is parked after %d retries, want %d", l.Order, tried, order.MaxRetries)
	case l.Do == order.Kill && len(l.begun) < 3:
		v.complain("%v is parked as crashed, and began only %d times", l.Order, len(l.begun))
	}
	for attempt := 1; l.Do == order.Always && attempt <= order.MaxRetries+1; attempt++ {
		if !slices.Contains(l.begun, attempt) {
			v.complain("%v is parked, and attempt %d was never made", l.Order, attempt)
		}
	}
}
