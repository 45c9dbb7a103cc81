package transport

import "fmt"

// Kind says what an Event reports.
type Kind int

// The kinds of Event.
const (
	Connected Kind = iota + 1 // a session has begun
	Lost                      // a session has ended, but not by Stop
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

// Event reports what happened to one TCP connection.
type Event struct {
	Kind    Kind
	Purpose string // "publish" or "consume", or the purpose of a dedicated connection
	Reason  string // the broker's, if Blocked
	Err     error  // why the connection was Lost
}
