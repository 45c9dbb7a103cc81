//go:build unix

package faults_test

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
)

// evidence is all that is known of a lane when everything has ended.
type evidence struct {
	lane       string
	postings   []posting // by number
	entries    []entry   // of every worker's journal
	parcels    []parcel  // messages that were left in the queues
	maxRetries int
	patient    time.Duration // the timeout of one Publish
	duplicates int           // how many are allowed
	lossy      bool          // losing messages is allowed
}

// parcel is a message that was found in a queue.
type parcel struct {
	role topology.Role
	amqp.Delivery
}

// verdict is the result of the audit.
type verdict struct {
	Published  int `json:"published"`
	Confirmed  int `json:"confirmed"`
	Acked      int `json:"acked"`  // messages whose handler has acked
	Parked     int `json:"parked"` // messages in the error queue
	Lost       int `json:"lost"`   // confirmed messages that are nowhere
	Duplicates int `json:"duplicates"`
	Bound      int `json:"bound"` // how many duplicates are allowed

	// The longest time in which no handler began although there was work.
	Stall time.Duration `json:"stall"`

	complaints []string
}

// history is what is known of one message.
type history struct {
	n         int
	behaviour behaviour
	do        string
	expected  message
	confirmed bool
	foreign   bool // nobody has published it

	begins  []entry
	acks    int
	parcels []parcel
}

// audit decides from values alone, so that a test can give it a forged journal.
func audit(e evidence) verdict {
	v := verdict{Published: len(e.postings), Bound: e.duplicates}
	all := e.histories(&v)
	for _, n := range sortedNumbers(all) {
		h := all[n]
		if h.foreign {
			v.complain("message %d was never published, but %s", n, h.whereabouts())
			continue
		}
		if n >= len(e.postings) {
			v.Published++ // by a handler
		}
		if h.confirmed {
			v.Confirmed++
		}
		if h.acks > 0 {
			v.Acked++
		}
		if h.in(topology.RoleError) > 0 {
			v.Parked++
		}
		v.judge(h, e.maxRetries, e.lossy)
	}
	if v.Duplicates > e.duplicates {
		v.complain("%d duplicates, at most %d were in flight when something broke", v.Duplicates, e.duplicates)
	}
	for n, p := range e.postings {
		switch {
		case p.ended.IsZero():
			v.complain("message %d: Publish has not returned", n)
		case e.patient > 0 && p.ended.Sub(p.began) > e.patient+time.Second:
			v.complain("message %d: Publish took %s, its context allowed %s", n, p.ended.Sub(p.began), e.patient)
		}
	}
	v.Stall = stall(e.postings, e.entries)
	return v
}

// judge checks one message.
func (v *verdict) judge(h *history, maxRetries int, lossy bool) {
	places := h.acks + len(h.parcels)
	v.Duplicates += max(0, places-1)
	if h.confirmed && places == 0 {
		v.Lost++
		if !lossy {
			v.complain("message %d (%s) is LOST: confirmed, %s", h.n, h.do, h.whereabouts())
		}
	}
	if h.acks > 0 && !h.behaviour.acked {
		v.complain("message %d (%s) was acked", h.n, h.do)
	}
	for _, b := range h.begins {
		if b.Attempt < 1 || b.Attempt > maxRetries+1 {
			v.complain("message %d (%s): a handler saw attempt %d of %d", h.n, h.do, b.Attempt, maxRetries+1)
		}
		if b.Altered != "" {
			v.complain("message %d (%s) came altered: %s", h.n, h.do, b.Altered)
		}
	}
	for _, p := range h.parcels {
		if why := h.expected.altered(p.MessageId, p.Body, p.Headers); why != "" {
			v.complain("message %d (%s) is altered in the %s queue: %s", h.n, h.do, p.role, why)
		}
		if p.role == topology.RoleError {
			v.judgeParked(h, p, maxRetries)
		}
	}
}

// judgeParked checks whether the message may be in the error queue in this form.
func (v *verdict) judgeParked(h *history, p parcel, maxRetries int) {
	reason := reasonOf(p)
	tried, _ := p.Headers[wire.RetryAttempts].(int64)
	switch {
	case h.behaviour.bare && reason == "":
	case reason == monitoring.ReasonCrashed && !h.behaviour.kills:
		v.complain("message %d (%s) is parked as crashed, and kills nobody", h.n, h.do)
	case h.behaviour.parked == "":
		v.complain("message %d (%s) is parked as %q, and would have succeeded", h.n, h.do, reason)
	case reason != h.behaviour.parked:
		v.complain("message %d (%s) is parked as %q, want %q", h.n, h.do, reason, h.behaviour.parked)
	case h.behaviour.spent && tried != int64(maxRetries):
		v.complain("message %d (%s) is parked after %d retries, want %d", h.n, h.do, tried, maxRetries)
	}
	if !h.behaviour.spent || reason != h.behaviour.parked {
		return
	}
	for attempt := 1; attempt <= maxRetries+1; attempt++ {
		if !slices.ContainsFunc(h.begins, func(e entry) bool { return e.Attempt == attempt }) {
			v.complain("message %d (%s) is parked as %q, and attempt %d was never made", h.n, h.do, reason, attempt)
		}
	}
}

// reasonOf returns why a message is parked: our reason, or, if it has none, the broker's.
func reasonOf(p parcel) monitoring.Reason {
	reason, ok := p.Headers[wire.Reason].(string)
	if !ok {
		reason, _ = p.Headers["x-first-death-reason"].(string)
	}
	return monitoring.Reason(reason)
}

// histories sorts the evidence by message.
func (e evidence) histories(v *verdict) map[int]*history {
	all := map[int]*history{}
	for n, p := range e.postings {
		b, _ := behaviourOf(p.do)
		all[n] = &history{n: n, do: p.do, behaviour: b, expected: compose(e.lane, n, p.do), confirmed: p.confirmed()}
	}
	find := func(n int) *history {
		h := all[n]
		if h == nil {
			h = e.forwarded(n)
			all[n] = h
		}
		return h
	}
	for _, entry := range e.entries {
		if entry.Lane != e.lane {
			v.complain("a handler got message %d of lane %q", entry.N, entry.Lane)
			continue
		}
		h := find(entry.N)
		switch entry.What {
		case begin:
			h.begins = append(h.begins, entry)
		case end:
			if entry.Said == "ack" {
				h.acks++
			}
		case confirmed:
			h.confirmed = true
		}
	}
	for _, p := range e.parcels {
		n, ok := number(e.lane, p.MessageId)
		if !ok {
			v.complain("a stranger is in the %s queue: id %q, body %.60q", p.role, p.MessageId, p.Body)
			continue
		}
		h := find(n)
		h.parcels = append(h.parcels, p)
	}
	return all
}

// forwarded returns the history of a message that a handler may have published. If no handler has
// published it, the message is foreign.
func (e evidence) forwarded(n int) *history {
	h := &history{n: n, do: "ack", behaviour: behaviours["ack"], expected: compose(e.lane, n, "ack")}
	source := n - forwarded
	h.foreign = source < 0 || source >= len(e.postings) || !strings.HasPrefix(e.postings[source].do, "forward")
	return h
}

// in returns how many copies of the message the queues of a role have.
func (h *history) in(role topology.Role) int {
	n := 0
	for _, p := range h.parcels {
		if p.role == role {
			n++
		}
	}
	return n
}

// whereabouts describes all that is known of the message, for people.
func (h *history) whereabouts() string {
	text := fmt.Sprintf("acked %d times", h.acks)
	for _, role := range []topology.Role{topology.RoleMain, topology.RoleRetry, topology.RoleQuarantine, topology.RoleError} {
		if n := h.in(role); n > 0 {
			text += fmt.Sprintf(", %d times in the %s queue", n, role)
		}
	}
	for _, b := range h.begins {
		text += fmt.Sprintf(", attempt %d began at %s in %s", b.Attempt, b.time().Format("15:04:05.000"), b.process)
	}
	return text
}

// enough is how many complaints one audit reports.
const enough = 20

func (v *verdict) complain(format string, args ...any) {
	switch len(v.complaints) {
	case enough:
		v.complaints = append(v.complaints, "and more")
	case enough + 1:
	default:
		v.complaints = append(v.complaints, fmt.Sprintf(format, args...))
	}
}

// stall returns the longest time in which no handler began although a confirmed message waited for
// its first attempt. Retries do not count as work here: they wait on purpose.
func stall(postings []posting, entries []entry) time.Duration {
	type start struct{ at, ready time.Time }
	var starts []start
	seen := map[int]bool{}
	begins := slices.DeleteFunc(slices.Clone(entries), func(e entry) bool { return e.What != begin })
	sort.SliceStable(begins, func(i, k int) bool { return begins[i].At < begins[k].At })
	for _, e := range begins {
		s := start{at: e.time()}
		if e.N >= 0 && e.N < len(postings) && !seen[e.N] && postings[e.N].confirmed() {
			s.ready = postings[e.N].ended
		}
		seen[e.N] = true
		starts = append(starts, s)
	}
	// The loop runs from the last message to the first. earliest is the time of the first confirm
	// among the messages whose handlers begin later.
	var longest time.Duration
	var earliest time.Time
	for i := len(starts) - 1; i > 0; i-- {
		if r := starts[i].ready; !r.IsZero() && (earliest.IsZero() || r.Before(earliest)) {
			earliest = r
		}
		if earliest.IsZero() {
			continue
		}
		from := starts[i-1].at
		if earliest.After(from) {
			from = earliest
		}
		longest = max(longest, starts[i].at.Sub(from))
	}
	return longest
}

func sortedNumbers(all map[int]*history) []int {
	numbers := make([]int, 0, len(all))
	for n := range all {
		numbers = append(numbers, n)
	}
	sort.Ints(numbers)
	return numbers
}
