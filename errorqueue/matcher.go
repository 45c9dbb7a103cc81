package errorqueue

import (
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue/internal/filter"
)

// Matcher is a Filter at one moment: a message that was chosen once is chosen again, however much
// time passes. It is for messages that were read before. It is safe for many goroutines.
type Matcher struct{ of *filter.Matcher }

// At checks the Filter and returns its Matcher at a moment, to which OlderThan and NewerThan are
// compared. The error is a *FieldError.
func (f Filter) At(now time.Time) (*Matcher, error) {
	m, err := f.at(now)
	if err != nil {
		return nil, err
	}
	return &Matcher{of: m}, nil
}

// Matches says whether a message is chosen. Terms that look at headers or the body need a Message
// that has them.
func (m *Matcher) Matches(msg *Message) bool {
	s := msg.subject()
	return m.of.Matches(&s)
}

// Since returns the time to which filters compare: FailedAt, or, if that is unknown, Timestamp. It
// is zero if neither is known.
func (m *Message) Since() time.Time { return m.since() }
