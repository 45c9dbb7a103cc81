package sending

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// blamed says whether the broker ended the channel or connection for what was sent on it.
func blamed(cause *amqp.Error) bool {
	if cause == nil || !cause.Server {
		return false
	}
	switch cause.Code {
	case amqp.AccessRefused, amqp.NotFound, amqp.PreconditionFailed:
		return true
	}
	return wholeConnection(cause)
}

// wholeConnection says whether the cause ended all channels of the connection.
func wholeConnection(cause *amqp.Error) bool {
	return cause != nil && (cause.Code == amqp.FrameError || cause.Code == amqp.SyntaxError)
}

// named says whether the broker's text names something of the message: its exchange, or its user
// id.
func named(env *Envelope, cause *amqp.Error) bool {
	return strings.Contains(cause.Reason, "exchange '"+cmp.Or(env.Exchange, "amq.default")+"'") ||
		env.UserId != "" && strings.Contains(cause.Reason, "'"+env.UserId+"'")
}

// narrowed are the suspects that the broker names, if its text names exchanges: 403 and 404 do.
func narrowed(suspects []*Message, cause *amqp.Error) (named, others []*Message) {
	if cause.Code != amqp.NotFound && cause.Code != amqp.AccessRefused {
		return suspects, nil
	}
	for _, m := range suspects {
		if strings.Contains(cause.Reason, "exchange '"+cmp.Or(m.env.Exchange, "amq.default")+"'") {
			named = append(named, m)
		} else {
			others = append(others, m)
		}
	}
	if len(named) == 0 {
		return suspects, nil
	}
	return named, others
}

// byGuilt sorts suspects, the most likely first: those that the broker names, then the largest.
func byGuilt(suspects []*Message, cause *amqp.Error) {
	rank := func(m *Message) (int, int) {
		if named(&m.env, cause) {
			return 0, 0
		}
		return 1, -len(m.env.Body) - m.env.PropertiesSize()
	}
	slices.SortStableFunc(suspects, func(a, b *Message) int {
		a1, a2 := rank(a)
		b1, b2 := rank(b)
		return cmp.Or(cmp.Compare(a1, b1), cmp.Compare(a2, b2))
	})
}

// byKey parts suspects by where they go, the most likely first.
func byKey(suspects []*Message, cause *amqp.Error) (parts [][]*Message) {
	byGuilt(suspects, cause)
	at := map[key]int{}
	for _, m := range suspects {
		i, known := at[m.key()]
		if !known {
			i = len(parts)
			at[m.key()] = i
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], m)
	}
	return parts
}

// byOrder sorts messages as they were first written.
func byOrder(messages []*Message) {
	slices.SortFunc(messages, func(a, b *Message) int { return cmp.Compare(a.order, b.order) })
}

func refused(cause *amqp.Error) error { return &RefusedError{cause.Code, cause.Reason} }

// asError keeps a nil *amqp.Error from becoming an error that is not nil.
func asError(e *amqp.Error) error {
	if e == nil {
		return nil
	}
	return errors.New(e.Error())
}
