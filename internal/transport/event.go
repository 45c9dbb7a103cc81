package transport

import "fmt"

// Kind is what an Event tells.
type Kind int

// The kinds of Event.
const (
	Connected Kind = iota + 1 // a session has begun
	Lost                      // a session has ended, and not by Stop
	Blocked                   // the broker takes no messages: a memory or disk alarm
	Unblocked                 // it takes them again
)

// String is the kind in lower case.
func (k Kind) String() string {
	switch k {
	case Connected:
		return "connected"
	case Lost:
		return "lost"
	case Blocked:
		return "blocked"
	case Unblocked:
		return "unblocked"
	}
	return fmt.Sprintf("kind(%d)", int(k))
}

// Event is a notice of what happened to one TCP connection.
type Event struct {
	Kind    Kind
	Purpose string // "publish" or "consume", or that of a dedicated connection
	Reason  string // the broker's, of Blocked
	Err     error  // why it was Lost
}
