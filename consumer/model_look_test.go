package consumer_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/bunnicula-go/bunnicula/internal/simulated"
)

// look reads the journal from its begin, and then the error queue.
func (w *world) look() error {
	l := looker{
		world: w, held: map[string]delivery{}, handling: map[string]bool{}, ackable: map[string]bool{}, placed: map[string]bool{},
		done: map[string]bool{}, returns: map[string][]simulated.Event{}, parker: map[string]string{}, rejected: map[string]bool{},
		alone: map[string]bool{}, running: map[string]int{}, limit: map[string]simulated.Event{},
	}
	for i, e := range w.sim.Journal() {
		if err := l.event(e); err != nil {
			w.wrongAt = i
			return fmt.Errorf("%w (at %s)", err, e.At)
		}
	}
	return l.places()
}

// looker knows what is going on at one moment.
type looker struct {
	*world
	held     map[string]delivery          // unsettled deliveries of open channels, by their mark
	handling map[string]bool              // their handlers began
	ackable  map[string]bool              // their handlers said Ack
	placed   map[string]bool              // copies of them are confirmed, and in a queue
	done     map[string]bool              // ids of which the broker took an ack after such an Ack
	returns  map[string][]simulated.Event // of a message to its queue, by id
	parker   map[string]string            // who parked it
	refusals int                          // publishes over which the broker has closed a channel with 406
	rejected map[string]bool              // ids of messages that were rejected, because their copies were refused for good
	alone    map[string]bool              // deliveries from quarantine, by their mark
	running  map[string]int               // handlers, by their process
	limit    map[string]simulated.Event   // the last change of it, by process
}

type delivery struct {
	process, message string
	channel          int
	tag              uint64
}

func (l *looker) event(e simulated.Event) error {
	mark := simulated.Mark(e.Channel, e.Tag)
	switch e.Kind {
	case simulated.Violation:
		return fmt.Errorf("%s", e)
	case simulated.Delivered:
		l.held[mark] = delivery{e.Process, e.Message, e.Channel, e.Tag}
		l.alone[mark] = e.Queue == quarantineQueue
		return l.prefetch(e)
	case simulated.Subscribed:
		if e.Tag < 1 || int(e.Tag) > l.spec.most() {
			return fmt.Errorf("subscribed with a prefetch of %d, it is %d", e.Tag, l.spec.most())
		}
	case simulated.Remark:
		return l.remark(e)
	case simulated.Confirmed:
		if e.Of != "" && e.OK {
			l.placed[e.Of] = true
			l.parker[e.Message] = e.Process
		}
	case simulated.Acking:
		if _, held := l.held[mark]; !held {
			return fmt.Errorf("an ack for what is not there: %s", e)
		}
		for m, d := range l.held {
			if m != mark && !(e.Multiple && d.channel == e.Channel && d.tag < e.Tag) {
				continue
			}
			delete(l.held, m)
			if !l.ackable[m] && !l.hasCopy(m, d) {
				return fmt.Errorf("an ack for %s, whose handler did not say so and which has no copy in a queue", d.message)
			}
		}
	case simulated.Nacking:
		d, held := l.held[mark]
		delete(l.held, mark)
		switch {
		case !held:
			return fmt.Errorf("a nack for what is not there: %s", e)
		case !e.OK && l.refusals >= 2: // its copy was refused for good
			l.rejected[d.message] = true
		case l.handling[mark]:
			return fmt.Errorf("a nack for %s, whose handler ran", d.message)
		case !e.OK:
			return fmt.Errorf("a nack that does not requeue, for %s", d.message)
		}
	case simulated.Acked:
		if l.ackable[mark] {
			l.done[e.Message] = true
		}
	case simulated.Faulted:
		if strings.Contains(e.Text, "close the channel, 406") && strings.HasPrefix(e.Text, "publish") {
			l.refusals++
		}
	case simulated.Requeued:
		l.returns[e.Message] = append(l.returns[e.Message], e)
	case simulated.Ended:
		for mark, d := range l.held {
			if d.channel == e.Channel {
				delete(l.held, mark)
			}
		}
	}
	return nil
}

// remark is about a handler that begins or ends, or about how many may run. The guard looks at the
// limit before it takes a message from quarantine, so that one may begin when it was lowered.
func (l *looker) remark(e simulated.Event) error {
	switch {
	case e.Text == mayRun:
		l.limit[e.Process] = e
	case strings.HasPrefix(e.Text, began):
		l.handling[e.Of] = true
		l.running[e.Process]++
		limit, limited := l.limit[e.Process]
		if n := l.running[e.Process]; limited && n > int(limit.Tag) && e.At > limit.At && !l.alone[e.Of] {
			return fmt.Errorf("%s begins as one of %d in %s, and %d may run", e.Message, n, e.Process, limit.Tag)
		}
	case e.Of != "":
		l.running[e.Process]--
		if e.OK {
			l.ackable[e.Of] = true
		}
	}
	return nil
}

// hasCopy says whether a delivery that is acked has a copy in a queue. Of two deliveries of one
// message that are in hand at once the copies can be equal, and then it does not matter whose was
// placed and whose came back as a return.
func (l *looker) hasCopy(mark string, d delivery) bool {
	if l.placed[mark] {
		return true
	}
	for other, o := range l.held {
		if o.process == d.process && o.message == d.message && l.placed[other] {
			delete(l.placed, other)
			return true
		}
	}
	return false
}

// prefetch bounds what a channel holds: one subscription's, and less than that of earlier ones.
func (l *looker) prefetch(e simulated.Event) error {
	n := 0
	for _, d := range l.held {
		if d.channel == e.Channel {
			n++
		}
	}
	if n > 2*l.spec.most() { // and one from quarantine
		return fmt.Errorf("%s holds %d deliveries, the prefetch is %d", e.Process, n, l.spec.most())
	}
	return nil
}

// places looks where the messages are at the end.
func (l *looker) places() error {
	parked := map[string]bool{}
	for _, d := range l.sim.Messages(errorQueue) {
		parked[d.MessageId] = true
		reason, _ := d.Headers["bunnicula-reason"].(string)
		if l.rejected[d.MessageId] && d.Headers["x-death"] != nil {
			continue
		}
		n := 0
		if _, err := fmt.Sscanf(d.MessageId, "m%d", &n); err != nil {
			return fmt.Errorf("%s is parked: %s, %v", d.MessageId, reason, d.Headers)
		}
		m := l.messages[n-1]
		if others := l.others(d.MessageId); reason == "crashed" && others+setAsideAt < l.spec.crashes {
			return fmt.Errorf("%s is parked as crashed, and %d processes died or lost a session while it was handled alone", d.MessageId, others)
		}
		if fits := l.reasons(m); !slices.Contains(fits, reason) {
			return fmt.Errorf("%s is parked, its reason is %q, want one of %q", d.MessageId, reason, fits)
		}
	}
	for id := range l.owed {
		if !l.done[id] && !parked[id] && !l.sim.WentWithQueue(id) {
			return fmt.Errorf("%s was confirmed, and is lost", id)
		}
	}
	return nil
}

// setAsideAt is how often a message comes back to the main queue before it is handled alone; that
// counts, too.
const setAsideAt = 2

// others counts how often a message came back while it was handled alone, for another reason than
// that who parked it had lost a session and survived that, which it knows. What other processes
// lost it cannot know.
func (l *looker) others(id string) int {
	n := 0
	for _, r := range l.returns[id] {
		if r.Queue == quarantineQueue && r.Process != l.parker[id] && !strings.HasPrefix(r.Text, "nacked") {
			n++
		}
	}
	return n
}

// reasons are those with which a message may be parked.
func (l *looker) reasons(m planned) []string {
	why := map[behaviour]string{
		errs: "error", retries: "retries-exhausted", retriesFar: "retries-exhausted", forgets: "retries-exhausted",
		panics: "panic", exits: "panic", timesOut: "timeout", isStuck: "timeout",
	}[m.does]
	switch {
	case m.does == kills:
		return []string{"crashed"}
	case m.does == errs, why != "" && m.times > l.spec.retries:
		return []string{why, "crashed"}
	}
	return []string{"crashed"} // the guard cannot tell who of several is to blame, and deaths are looked at by themselves
}
