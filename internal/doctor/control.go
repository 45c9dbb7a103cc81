package doctor

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/topology"
)

const pageControl = "docs/COMMAND.md#control"

// Control is what is known of the orders of a fleet.
type Control struct {
	Stream  string
	Orders  []control.Order // that stand
	Missing bool            // there is no stream
	Err     error           // the stream could not be read
	// What processes have told.
	Processes []control.Process
	Unasked   error // they could not be asked
}

// orderFor returns the newest order for the consumer of a queue, or for all partitions.
func (f Facts) orderFor(queue string) (newest control.Order, ok bool) {
	if f.Control == nil {
		return newest, false
	}
	of, _, isOne := topology.PartitionOf(queue)
	for _, o := range f.Control.Orders {
		fits := o.Consumer == queue || isOne && o.Consumer == of || slices.Contains(f.Control.queuesOf(o.Consumer), queue)
		if fits && (!ok || o.At.After(newest.At)) {
			newest, ok = o, true
		}
	}
	return newest, ok
}

// queuesOf returns the queues of the consumers of a name.
func (c *Control) queuesOf(name string) (queues []string) {
	for _, p := range c.Processes {
		for _, m := range p.Consumers {
			if m.Name == name {
				queues = append(queues, m.Queue)
			}
		}
	}
	return queues
}

// paused returns whether a queue waits because of an order.
func (f Facts) paused(queue string) bool {
	o, ok := f.orderFor(queue)
	return ok && o.Paused
}

// orders returns findings about orders: those that explain why a queue waits, and what keeps
// processes from obeying.
func orders(f Facts) []Finding {
	if f.Control == nil {
		return nil
	}
	c, subject := f.Control, "stream "+f.Control.Stream
	if c.Missing {
		return []Finding{{Note, "control-missing", subject, "it is not there, so no order can stand",
			"bunnicula control reaches nobody. Apps with control.Module declare it when they start.",
			"If there are such apps, see in their log which permission they lack.", pageControl}}
	}
	if c.Err != nil {
		return []Finding{{Warning, "control-unreadable", subject, "it could not be read: " + c.Err.Error(),
			"Whether a queue waits because somebody has paused it is not known here.", "Give this user read on the stream, and write on amq.default.", pageControl}}
	}
	var found []Finding
	for _, o := range c.Orders {
		found = append(found, f.standing(o))
	}
	for _, p := range c.Processes {
		if p.Trouble != "" {
			found = append(found, Finding{Warning, "control-deaf", fmt.Sprintf("process %d on %s", p.PID, p.Host), "it may miss orders: " + p.Trouble,
				"A pause that others obey may not reach it.", "See its log: a permission on the stream may be missing.", pageControl})
		}
	}
	return found
}

// standing is the finding about an order that stands.
func (f Facts) standing(o control.Order) Finding {
	ready := 0
	for name, q := range f.Counts {
		if newest, ok := f.orderFor(name); ok && newest.ID == o.ID && newest.Consumer == o.Consumer && q.Role == topology.RoleMain {
			ready += known0(q.Ready)
		}
	}
	what := "paused"
	if !o.Paused {
		what = fmt.Sprintf("limited to %d at once in each process", o.Limit)
	}
	end := "until somebody resumes it"
	if !o.Until.IsZero() {
		end = "until " + o.Until.UTC().Format(time.RFC3339)
	}
	problem := fmt.Sprintf("%s is %s by %s %s", o.Consumer, what, o.By, end)
	if o.Why != "" {
		problem += ": " + o.Why
	}
	severity := Note
	if o.Paused && (ready > 0 || o.Until.IsZero()) {
		severity = Warning
	}
	why := "An order takes the place of what the app itself wants."
	if o.Paused && ready > 0 {
		why = messages(ready) + " in its queue, which waits because of that."
	}
	return Finding{severity, "control-" + strings.Fields(what)[0], "consumer " + o.Consumer, problem, why,
		fmt.Sprintf("Let it stand, or lift it: bunnicula control resume %s.", o.Consumer), pageControl}
}
