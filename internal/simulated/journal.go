package simulated

import (
	"fmt"
	"strings"
	"time"
)

// Event is one entry of the journal.
type Event struct {
	At       time.Duration // since the broker began
	Kind     EventKind
	Process  string
	Channel  int // numbered over all processes
	Tag      uint64
	Queue    string // or the routing key
	Message  string // its id
	Of       string // of a message that was published: the Mark on it
	Text     string
	Multiple bool // an ack or nack is of all tags up to this one
	OK       bool // a publish was confirmed and is in a queue; a nack requeues
}

// EventKind is what an Event tells.
type EventKind string

// The kinds of Event. Those of the client are entered when it is told or does it, those of the
// broker when it does it.
const (
	Published  EventKind = "published"     // client: a message was written
	Confirmed  EventKind = "confirmed"     // client: the broker has confirmed it; OK says that a queue has it
	Nacked     EventKind = "nacked"        // client: the broker did not take it
	Returned   EventKind = "returned"      // client: there was no queue for it
	Delivered  EventKind = "delivered"     // client: a delivery has come
	Acking     EventKind = "acking"        // client: an ack was written
	Nacking    EventKind = "nacking"       // client: a nack was written
	Ended      EventKind = "ended"         // client: a channel ended
	Died       EventKind = "died"          // a process was killed
	Acked      EventKind = "acked"         // broker: a delivery is gone
	Subscribed EventKind = "subscribed"    // broker: Tag is the prefetch, Text the consumer tag
	Cancelled  EventKind = "cancelled"     // broker: Text is the consumer tag
	Requeued   EventKind = "requeued"      // broker: a delivery is back in its queue, Text says why
	DeadLetter EventKind = "dead-lettered" // broker: a message goes to the dead-letter queue, Text says why
	Faulted    EventKind = "fault"
	Violation  EventKind = "VIOLATION" // a client did what it must never do
	Remark     EventKind = "-"         // a test's own
)

// String is the event as a line.
func (e Event) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%10s %-13s", e.At, e.Kind)
	if e.Process != "" {
		fmt.Fprintf(&s, " %s", e.Process)
	}
	if e.Message != "" {
		fmt.Fprintf(&s, " %s", e.Message)
	}
	if e.Channel != 0 {
		fmt.Fprintf(&s, " channel %d", e.Channel)
	}
	if e.Tag != 0 {
		fmt.Fprintf(&s, " tag %d", e.Tag)
	}
	if e.Multiple {
		s.WriteString(" and before")
	}
	if e.Queue != "" {
		fmt.Fprintf(&s, " %s", e.Queue)
	}
	if e.Of != "" {
		fmt.Fprintf(&s, " of delivery %s", e.Of)
	}
	if e.OK {
		s.WriteString(" ok")
	}
	if e.Text != "" {
		fmt.Fprintf(&s, ": %s", e.Text)
	}
	return s.String()
}

// Journal is all that happened so far. It is empty if the broker is Silent.
func (b *Broker) Journal() []Event {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Event(nil), b.journal...)
}

// Note enters an event of the test's own in its place among the others.
func (b *Broker) Note(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note(e)
}

func (b *Broker) note(e Event) {
	if b.Silent {
		return
	}
	e.At = time.Since(b.began)
	b.journal = append(b.journal, e)
}
