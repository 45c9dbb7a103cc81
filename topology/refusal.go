package topology

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

var (
	// ErrMissing is wrapped by the error for a queue or an exchange that must be there
	// and is not (404).
	ErrMissing = errors.New("topology: not found")

	// ErrRefused is wrapped by the error for a declaration or a binding that the
	// user has no permission for (403), or that the name forbids.
	ErrRefused = errors.New("topology: access refused")

	// ErrUnchecked is wrapped by the error for a queue that could not be looked for,
	// because the user may not (403). Brokers before 4.3 let everyone look; from there
	// on it takes the permission to configure the queue. Everything else has been
	// declared by then, so a caller can open another channel and go on. It will find a
	// missing main queue when it consumes, and another when it publishes there with
	// the mandatory flag.
	ErrUnchecked = errors.New("topology: not allowed to look")
)

// MismatchError is a queue or an exchange that is there and is not what was asked
// for (406). Nothing was changed.
type MismatchError struct {
	What     string // "queue" or "exchange"
	Name     string
	Role     Role   // of the queue, "" for an exchange
	Argument string // the argument's or the attribute's name: "x-message-ttl", "durable", "type"
	Existing string // its value at the broker: "none" if there is none, `""` if it is empty, "" if the broker's text was cut
	Wanted   string // the value that was asked for, in the same way
	Err      error  // the broker's own, an *amqp.Error
}

// Error says what differs and what to do about it.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("topology: %s %q: %s is %s at the broker and %s is wanted: %s: %v",
		e.What, e.Name, e.Argument, orUnknown(e.Existing), orUnknown(e.Wanted), e.remedy(), e.Err)
}

// Unwrap returns the broker's error.
func (e *MismatchError) Unwrap() error { return e.Err }

// remedy is what an operator can do. It never deletes anything by itself.
func (e *MismatchError) remedy() string {
	const redeclare = "let it drain, delete it and start again"
	switch {
	case e.What == "exchange":
		return "ask for what is there, or leave Kind empty to bind to it as it is"
	case e.Role == RoleMain:
		return "keep it as it is with Declare: topology.Satellites, or ask for what is there (another type of queue differs in several arguments), or " + redeclare
	case e.Role == RoleError:
		return "name another with ErrorQueue, or " + redeclare
	default:
		return "ask for what is there, or " + redeclare
	}
}

func orUnknown(value string) string {
	if value == "" {
		return "something else"
	}
	return value
}

// step is what Declare was about when the broker refused it.
type step struct {
	what          string // "queue", "exchange" or "binding"
	name          string // the queue's or the exchange's
	role          Role
	arguments     map[string]any // of a queue
	exchange, key string         // of a binding
	passive       bool           // the queue was only looked for
}

func (s step) String() string {
	if s.what == "binding" {
		return fmt.Sprintf("binding of queue %q to exchange %q with key %q", s.name, s.exchange, s.key)
	}
	return fmt.Sprintf("%s %q", s.what, s.name)
}

// refusal makes the broker's refusal of a step readable. It keeps the cause.
func refusal(err error, s step) error {
	var refused *amqp.Error
	if !errors.As(err, &refused) {
		return fmt.Errorf("topology: %v: %w", s, err)
	}
	switch {
	case refused.Code == amqp.PreconditionFailed:
		if m := mismatch(refused.Reason, s); m != nil {
			m.Err = err
			return m
		}
	case refused.Code == amqp.AccessRefused && s.passive:
		return fmt.Errorf("%w for %v, which takes the permission to configure it on this broker: %w", ErrUnchecked, s, err)
	case refused.Code == amqp.AccessRefused:
		return fmt.Errorf("%w: %v: %s: %w", ErrRefused, s, s.permission(), err)
	case refused.Code == amqp.NotFound && strings.Contains(refused.Reason, "no exchange"):
		return fmt.Errorf("%w: exchange %q, needed for the %v: declare it first, or set its Kind: %w", ErrMissing, s.exchange, s, err)
	case refused.Code == amqp.NotFound && strings.Contains(refused.Reason, "no queue"):
		return fmt.Errorf("%w: queue %q, which this mode does not declare: declare it first, or use the mode All: %w", ErrMissing, s.name, err)
	}
	return fmt.Errorf("topology: %v: %w", s, err)
}

// permission is what a step takes (https://www.rabbitmq.com/docs/access-control#authorisation).
func (s step) permission() string {
	switch s.what {
	case "binding":
		return "it takes write on the queue and read on the exchange"
	case "queue":
		return "it takes configure on the queue and, if it dead-letters, read on it and write on its dead-letter exchange; or use the mode Never"
	default:
		return "it takes configure on the exchange"
	}
}

// inequivalent matches the broker's words. Old brokers forget the space after the
// argument. The values are missing if the text is longer than 255 bytes and was cut.
var inequivalent = regexp.MustCompile(`inequivalent arg '([^']+)'\s*for `)

// mismatch reads the broker's words, or returns nil if they say something else.
func mismatch(reason string, s step) *MismatchError {
	found := inequivalent.FindStringSubmatch(reason)
	if found == nil {
		return nil
	}
	m := &MismatchError{What: s.what, Name: s.name, Role: s.role, Argument: found[1]}
	if i := strings.LastIndex(reason, ": received "); i >= 0 {
		wanted, existing, _ := strings.Cut(reason[i+len(": received "):], " but current is ")
		m.Wanted, m.Existing = bare(wanted), bare(existing)
	}
	if wanted, ok := s.arguments[m.Argument]; ok && m.Wanted == "" {
		m.Wanted = fmt.Sprint(wanted)
	}
	return m
}

// quoted matches a value as the broker writes it: '5', or the value '5' of type 'long'.
var quoted = regexp.MustCompile(`^(?:the value )?'(.*?)'(?: of type '\w+')?$`)

// bare takes the quotes and the type off a value. It is "" for one that was cut.
func bare(value string) string {
	found := quoted.FindStringSubmatch(value)
	switch {
	case value == "none":
		return value
	case found == nil:
		return ""
	case found[1] == "":
		return `""`
	default:
		return found[1]
	}
}
