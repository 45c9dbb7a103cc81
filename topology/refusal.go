package topology

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

var (
	// ErrMissing is wrapped by the error for a queue or an exchange that must exist and does
	// not (404).
	ErrMissing = errors.New("topology: not found")

	// ErrRefused is wrapped by the error for a declaration or a binding for which the user has
	// no permission, or whose name is reserved (403).
	ErrRefused = errors.New("topology: access refused")

	// ErrInvalid is wrapped by the error for a declaration or a binding that this broker does not
	// take, whoever asks: an argument that queues of this type do not have, a value that is not
	// allowed, an exchange type without its plugin, or one queue more than the virtual host may
	// have (406; 503 and 541 in some versions).
	ErrInvalid = errors.New("topology: the broker does not take it")

	// ErrStream is wrapped by the error for a queue that is a stream. Consuming does not take
	// messages out of a stream, and it cannot give back or count deliveries, so a consumer would
	// skip messages without a word. No consumer and no reader of an error queue subscribes to one.
	ErrStream = errors.New("topology: a stream cannot be consumed as a queue")

	// ErrUnchecked is wrapped by the error for a queue that must exist and that this user may not
	// look for (403). Brokers before 4.3 let every user look; since 4.3 a permission on the queue
	// is necessary. Everything else has been declared by then, so a caller can open another channel
	// and continue. A missing main queue shows when the caller consumes, and any other missing
	// queue when it publishes with the mandatory flag.
	ErrUnchecked = errors.New("topology: not allowed to look")
)

// MismatchError says that a queue or an exchange exists and differs from the declaration (406).
// Nothing was changed.
type MismatchError struct {
	What     string // "queue" or "exchange"
	Name     string
	Role     Role   // of the queue, "" for an exchange
	Argument string // the argument's or the attribute's name: "x-message-ttl", "durable", "type"

	// Existing and Wanted are the argument's values at the broker and in the declaration: "none" if
	// there is none, `""` if it is empty, and "" if the broker has cut its text.
	Existing string
	Wanted   string

	Err error // the broker's error, an *amqp.Error
}

// Error says what differs and what to do about it.
func (e *MismatchError) Error() string {
	return fmt.Sprintf("topology: %s %q: %s is %s at the broker and %s is wanted: %s: %v",
		e.What, e.Name, e.Argument, orUnknown(e.Existing), orUnknown(e.Wanted), e.remedy(), e.Err)
}

// Unwrap returns the broker's error.
func (e *MismatchError) Unwrap() error { return e.Err }

// remedy says what an operator can do. The framework itself deletes nothing.
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

// step is the declaration that the broker refused.
type step struct {
	what          string // "queue", "exchange" or "binding"
	name          string // the queue's or the exchange's
	role          Role
	arguments     map[string]any // of a queue
	exchange, key string         // of a binding
	passive       bool           // the queue was only checked
}

func (s step) String() string {
	if s.what == "binding" {
		return fmt.Sprintf("binding of queue %q to exchange %q with key %q", s.name, s.exchange, s.key)
	}
	return fmt.Sprintf("%s %q", s.what, s.name)
}

// refusal explains the broker's refusal of a step. It wraps the cause.
func refusal(err error, s step) error {
	var refused *amqp.Error
	if !errors.As(err, &refused) {
		return fmt.Errorf("topology: %v: %w", s, err)
	}
	if m := mismatch(refused, s); m != nil {
		m.Err = err
		return m
	}
	switch {
	case isInvalid(refused):
		return fmt.Errorf("%w: %v: change the argument or the type: %w", ErrInvalid, s, err)
	case refused.Code == amqp.AccessRefused && s.passive:
		return fmt.Errorf("%w for %v, which this broker allows only with a permission on it: %w", ErrUnchecked, s, err)
	case refused.Code == amqp.AccessRefused:
		return fmt.Errorf("%w: %v: %s: %w", ErrRefused, s, s.permission(), err)
	case refused.Code == amqp.NotFound && strings.Contains(refused.Reason, "no exchange"):
		return fmt.Errorf("%w: exchange %q, needed for the %v: declare it first, or set its Kind: %w", ErrMissing, s.exchange, s, err)
	case refused.Code == amqp.NotFound && strings.Contains(refused.Reason, "no queue"):
		return fmt.Errorf("%w: queue %q, which this mode does not declare: declare it first, or use the mode All: %w", ErrMissing, s.name, err)
	}
	return fmt.Errorf("topology: %v: %w", s, err)
}

// invalid matches what a broker says of a declaration that it would refuse at any time: a wrong
// argument or value (406), an exchange type that it does not have (406, before 4.0 503), a feature
// that its version no longer permits (406 or 541), or a virtual host that is full (406).
var invalid = regexp.MustCompile(`(?i)\binvalid (arg|type|exchange type|x-match field)|\bunknown exchange type|\bis deprecated|\blimit in vhost '.*' .*is reached`)

// isInvalid says whether a refusal is for the declaration itself, so that the same one is refused
// again until somebody changes something. Other refusals with these codes may be over soon, such as
// that of a queue whose members are starting.
func isInvalid(refused *amqp.Error) bool {
	switch refused.Code {
	case amqp.PreconditionFailed, amqp.CommandInvalid, amqp.InternalError:
		return invalid.MatchString(refused.Reason)
	}
	return false
}

// permission names the permission that a step needs
// (https://www.rabbitmq.com/docs/access-control#authorisation).
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

// inequivalent matches the broker's text. Old brokers omit the blank after the argument. The values
// are missing where the broker has cut its text at 255 bytes.
var inequivalent = regexp.MustCompile(`inequivalent arg '([^']+)'\s*for `)

// mismatch parses the broker's text. It returns nil for a text about something else.
func mismatch(refused *amqp.Error, s step) *MismatchError {
	reason := refused.Reason
	found := inequivalent.FindStringSubmatch(reason)
	if found == nil || refused.Code != amqp.PreconditionFailed {
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

// quoted matches a value in the broker's text: '5', or the value '5' of type 'long'.
var quoted = regexp.MustCompile(`^(?:the value )?'(.*?)'(?: of type '\w+')?$`)

// bare removes the quotes and the type from a value. A value that was cut becomes "".
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
