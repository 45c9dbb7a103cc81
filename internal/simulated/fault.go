package simulated

import (
	"fmt"
	"strings"
	"time"
)

// Step is a moment at which something can go wrong: a frame has arrived, and nothing has come of it
// yet.
type Step struct {
	// Kind is what arrived. At the broker: "dial", "open", "declare", "bind", "confirm.select",
	// "qos", "consume", "cancel", "get", "publish", "ack", "nack", "close" (of a channel),
	// "goodbye" (of a connection). At the client: "reply", "deliver", "confirm", "return",
	// "cancelled", "closed", "blocked", "unblocked".
	Kind string

	N       int    // among those of its Kind, from 1
	Process string // whose
	Purpose string // the link's: "publish", "consume", or that of an Apart
	Queue   string // or the routing key
	Message string // its id
}

// Fault is what goes wrong. The zero Fault is nothing.
type Fault struct {
	Kind FaultKind

	// Delay comes first, and holds up all behind it on the connection.
	Delay time.Duration

	// After says that a Cut or CloseChannel comes after the frame has taken effect, not instead.
	After bool

	// Code is CloseChannel's, such as 404, or CloseSession's, which defaults to 541.
	Code int

	// Queue is the one that DeleteQueue deletes.
	Queue string

	// For is how long an Alarm, a Refuse, a Restart or a HoldChannel lasts, and how late a
	// LateConfirm is.
	For time.Duration

	// Client and Broker are how long after a Cut either of them notices.
	Client, Broker time.Duration
}

// FaultKind is what kind of thing goes wrong.
type FaultKind int

// The kinds of Fault.
const (
	None         FaultKind = iota
	Cut                    // the connection is gone; nothing passes from now on
	CloseChannel           // by the broker, with Code; only what a client sends can bring it
	CloseSession           // by the broker, with Code, likewise
	Unreadable             // a frame that the client library cannot read ends the connection; of a deliver
	Nack                   // of a publish: not taken
	Unroutable             // of a publish: as if there were no queue
	LateConfirm            // of a publish: taken, and others may be confirmed before it
	NoConfirm              // of a publish: taken, and not confirmed as long as its channel lives
	HoldChannel            // what the client sends on the channel waits; others go on
	DeleteQueue            // with its messages
	Alarm                  // who publishes is blocked
	Refuse                 // no dial succeeds
	Restart                // of the broker
)

var faultNames = [...]string{
	"nothing", "cut", "close the channel", "close the connection", "unreadable", "nack", "unroutable", "confirm late", "never confirm", "hold the channel", "delete a queue",
	"alarm", "refuse dials", "restart",
}

// String says it in a few words.
func (f Fault) String() string {
	words := []string{faultNames[f.Kind]}
	add := func(format string, value any, is bool) {
		if is {
			words = append(words, fmt.Sprintf(format, value))
		}
	}
	add("%d", f.Code, f.Code != 0)
	add("%s", f.Queue, f.Queue != "")
	add("for %s", f.For, f.For != 0)
	add("after it took effect%.0v", "", f.After)
	add("client notices after %s", f.Client, f.Client != 0)
	add("broker notices after %s", f.Broker, f.Broker != 0)
	add("delayed by %s", f.Delay, f.Delay != 0)
	return strings.Join(words, ", ")
}

// ask finds out what goes wrong at a step.
func (b *Broker) ask(step Step) Fault {
	b.steps[step.Kind]++
	step.N = b.steps[step.Kind]
	f := b.Faults(step)
	if f != (Fault{}) {
		b.note(Event{Kind: Faulted, Process: step.Process, Queue: step.Queue, Message: step.Message, Text: fmt.Sprintf("%s %d (%s): %s", step.Kind, step.N, step.Purpose, f)})
	}
	return f
}
