package errorqueue

import "github.com/bunnicula-go/bunnicula/errorqueue/internal/filter"

// choice decides which messages a redrive, a discard or a move takes. It is immutable.
type choice struct {
	filter  *filter.Matcher
	redrive string // the id of a redrive; messages that it has moved are left; "" is none
	copies  bool   // the messages are published elsewhere
	// Only messages that are known to come from this queue are taken; "" is all.
	from string
}

// verdict says what is done with a message.
type verdict int

const (
	leave      verdict = iota
	take               // it is moved
	leaveWhole         // it is chosen, but cannot be copied: see Message.Illegible
)

func (c choice) of(m *Message) verdict {
	subject := m.subject()
	switch {
	case c.from != "" && (m.Target != c.from || m.TargetFrom == fromOpened):
		return leave
	case !c.filter.Matches(&subject), c.redrivenBefore(m):
		return leave
	case c.copies && m.Illegible:
		return leaveWhole
	}
	return take
}

// redrivenBefore says whether this redrive has moved the message, which is parked again.
func (c choice) redrivenBefore(m *Message) bool { return c.redrive != "" && m.RedriveID == c.redrive }
