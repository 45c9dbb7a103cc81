package doctor

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/topology"
)

// rung is a retry queue with messages.
type rung struct {
	queue   string
	main    string // to which its messages go back
	missing bool   // main is
	delay   time.Duration
	classic bool
	named   bool // it is one of the examined consumers'
	ready   int
	kept    int
}

// rungs returns the retry queues of the examined consumers with messages, and those of others that
// the management API lists.
func (f Facts) rungs() []rung {
	var all []rung
	for _, c := range f.Consumers {
		for _, q := range c.Topology.Queues {
			if n := f.Counts[q.Name]; q.Role == topology.RoleRetry && n.Ready != nil && *n.Ready > 0 {
				all = append(all, rung{
					queue: q.Name, main: c.Plan.Queue, missing: f.Counts[c.Plan.Queue].State == inspect.Absent, delay: q.Delay,
					classic: f.kind(q) == string(topology.Classic), named: true, ready: *n.Ready,
				})
			}
		}
	}
	if f.Known == nil {
		return all
	}
	for _, name := range slices.Sorted(maps.Keys(f.Known.Queues)) {
		k := f.Known.Queues[name]
		main, delay, ok := inspect.CutRetry(name)
		if _, counted := f.Counts[name]; !ok || counted || !inspect.LeadsTo(k, main) {
			continue
		}
		r := rung{queue: name, main: main, delay: delay, classic: k.Type == string(topology.Classic), ready: known0(k.Ready), kept: known0(k.Kept)}
		if _, there := f.Known.Queues[main]; !there {
			r.missing = true
		}
		if r.ready+r.kept > 0 {
			all = append(all, r)
		}
	}
	return all
}

// kind returns the type of a queue: as it is, or else as its consumer declares it.
func (f Facts) kind(q topology.Queue) string {
	if k, ok := f.details(q.Name); ok {
		return k.Type
	}
	kind, _ := q.Arguments["x-queue-type"].(string)
	return kind
}

func known0(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}

// waiting returns findings about messages that wait in a retry queue for what nobody has any more:
// their main queue, or the delay.
func waiting(f Facts) []Finding {
	var found []Finding
	for _, r := range f.rungs() {
		switch c := f.describedBy(r.main); {
		case r.missing:
			found = append(found, noWayBack(r))
		case c != nil && !r.named:
			found = append(found, leftOver(r, c.Plan.Delays))
		}
	}
	return found
}

// describedBy returns the consumer of a file with this main queue, nil if there is none.
func (f Facts) describedBy(main string) *Consumer {
	for i := range f.Consumers {
		if c := &f.Consumers[i]; c.Plan.Queue == main && !c.Guessed {
			return c
		}
	}
	return nil
}

// noWayBack is the finding about messages whose main queue is missing. What the broker does then
// was tried on RabbitMQ 3.10 and 4.3.
func noWayBack(r rung) Finding {
	problem := messages(r.ready) + " in it"
	switch {
	case r.kept > 0 && r.ready == 0:
		problem = messages(r.kept) + " kept in it, whose time is over"
	case r.kept > 0:
		problem += fmt.Sprintf(", %d more kept whose time is over", r.kept)
	}
	problem += fmt.Sprintf(", and queue %s, to which they go back, is not there", r.main)
	why := fmt.Sprintf("When their time is over, %s at the latest, the broker keeps them. They show in no depth, and are tried again every three minutes until that queue is there. Deleting this queue deletes them.", within(r.delay))
	do := fmt.Sprintf("Start the consumer of %s, or declare it with topology apply. If it has another name now, and while they are not kept yet: bunnicula move %s NEW.", r.main, r.main)
	if r.classic {
		why = fmt.Sprintf("When their time is over, %s at the latest, the broker drops them, as classic queues do.", within(r.delay))
	}
	return Finding{Serious, "no-way-back", "queue " + r.queue, problem, why, do, pageOperations}
}

// leftOver is the finding about messages in a retry queue that the consumer does not use any more.
func leftOver(r rung, delays []time.Duration) Finding {
	var left []string
	for _, d := range delays {
		left = append(left, topology.FormatDelay(d))
	}
	late := "One that is due later than that waits on in the retry queues that the consumer has. "
	if len(delays) > 0 {
		late = fmt.Sprintf("One that is due later than that waits on in the retry queues of %s. ", strings.Join(left, ", "))
	}
	return Finding{
		Warning, "left-over", "queue " + r.queue, fmt.Sprintf("%s in it, and its consumer has no delay of %s any more", messages(r.ready+r.kept), topology.FormatDelay(r.delay)),
		fmt.Sprintf("They are back in %s %s, and are handled. %sIt is never early, and late by the shortest of them at most.", r.main, within(r.delay), late),
		"Leave it until it is empty, and then let topology prune delete it; or give the consumer that delay again.", pageOperations,
	}
}

func within(delay time.Duration) string { return "within " + topology.FormatDelay(delay) }

// comeBack returns how many messages wait in the retry queues of a main queue.
func (f Facts) comeBack(main string) (n int) {
	for _, r := range f.rungs() {
		if r.main == main {
			n += r.ready
		}
	}
	return n
}
