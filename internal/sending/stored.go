package sending

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Place is a message's place among others in an outbox. The options of package outbox set it.
type Place struct {
	Key   string // messages with one key are published in order
	Job   string // the job that counts the message
	After string // the id of a message that must be done first
}

// elsewhere is the error of a message that has a place and is not put into an outbox.
func (p Place) elsewhere() error {
	option := ""
	switch {
	case p.Key != "":
		option = "Key"
	case p.Job != "":
		option = "Job"
	case p.After != "":
		option = "After"
	default:
		return nil
	}
	return fmt.Errorf("outbox.%s is for an outbox's Put: a message that is published at once has no place in an outbox", option)
}

// Stored is a message for an outbox. It has a timestamp only if its options set one: it gets
// another when it is published.
type Stored struct {
	Envelope
	Place
	Delay time.Duration // 0 for none
	NewID bool          // the id was made for it, so no other message has it
}

// Failed is err with the message and where it was to go, as callers of an outbox see it.
func (s *Stored) Failed(err error) error {
	message := "a message"
	if s.MessageId != "" {
		message = fmt.Sprintf("message %q", foreign.Cut(s.MessageId, 60))
	}
	return fmt.Errorf("outbox: put %s for %s: %w", message, s.where(), err)
}

// BuildStored is Build for an outbox. It refuses what Build refuses, and what a database refuses,
// because that would abort the transaction of the caller. A delay is for any exchange, because the
// message waits in the outbox.
func BuildStored[Option ~func(*Draft) error](r Rules, routingKey string, payload any, opts []Option) (Stored, error) {
	d := Draft{Encode: r.Encode, Envelope: Envelope{Exchange: r.Exchange, RoutingKey: routingKey}}
	err := apply(&d, opts)
	hasNone := d.MessageId == ""
	if err == nil {
		err = d.Output.elsewhere()
	}
	if err == nil {
		err = d.partition()
	}
	if err == nil {
		err = d.encode(payload, r)
	}
	s := Stored{Envelope: d.Envelope, Place: d.Place, NewID: hasNone}
	if err == nil {
		s.Delay, err = d.wait(time.Now())
	}
	if err == nil {
		err = s.check()
	}
	if err != nil {
		return s, s.Failed(err)
	}
	return s, nil
}

// wait is how long a message waits in an outbox.
func (d *Draft) wait(now time.Time) (time.Duration, error) {
	if d.When == nil {
		return 0, nil
	}
	due := d.When(now)
	wait := due.Sub(now)
	if wait > topology.MaxDelay {
		return 0, fmt.Errorf("the message is due at %s, want at most %s from now", foreign.Stamp(due), topology.MaxDelay)
	}
	return max(wait, 0), nil
}

func (s *Stored) check() error {
	if s.Exchange == "" && s.RoutingKey == "" {
		return errors.New("the routing key is empty, want the name of a queue")
	}
	for _, c := range s.columns() {
		switch {
		case len(c.value) > wire.MaxName:
			return fmt.Errorf("%s %q is %d bytes long, want at most %d", c.name, foreign.Cut(c.value, 40), len(c.value), wire.MaxName)
		case !utf8.ValidString(c.value):
			return fmt.Errorf("%s %q is not UTF-8, and a database does not take it", c.name, foreign.Cut(c.value, 40))
		case strings.ContainsRune(c.value, 0):
			return fmt.Errorf("%s %q has a NUL byte, and a database does not take it", c.name, foreign.Cut(c.value, 40))
		}
	}
	if err := s.short(); err != nil {
		return err
	}
	limit := wire.MaxProperties - roomForOurs
	if s.Timestamp.IsZero() {
		limit -= timestampSize
	}
	return s.fits(limit)
}

// timestampSize is what the timestamp takes that a message gets when it is published.
const timestampSize = 8

// columns are the texts that an outbox has columns for.
func (s *Stored) columns() [6]property {
	return [...]property{
		{"exchange", s.Exchange}, {"routing key", s.RoutingKey}, {"message id", s.MessageId},
		{"key", s.Key}, {"job", s.Job}, {"id of After", s.After},
	}
}
