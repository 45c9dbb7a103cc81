package errorqueue

import "github.com/bunnicula-go/bunnicula/errorqueue/internal/filter"

// choice decides which messages a redrive or a discard moves. It is immutable.
type choice struct {
	filter  *filter.Matcher
	redrive string // the id of a redrive: messages that it has moved before are left; "" is none
	copies  bool   // what is moved is published elsewhere
}

// verdict is what is done with a message.
type verdict int

const (
	leave      verdict = iota
	take               // it is moved
	leaveWhole         // it is chosen, and cannot be copied: see Message.Illegible
)

func (c choice) of(m *Message) verdict {
	subject := m.subject()
	switch {
	case !c.filter.Matches(&subject), c.redrivenBefore(m):
		return leave
	case c.copies && m.Illegible:
		return leaveWhole
	}
	return take
}

// redrivenBefore says whether the message was moved by this redrive, and is parked again.
func (c choice) redrivenBefore(m *Message) bool { return c.redrive != "" && m.RedriveID == c.redrive }
