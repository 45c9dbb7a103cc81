package sending

import (
	"fmt"
	"slices"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/wire"
)

// returns are the messages that the broker has sent back. Only a collector uses them.
type returns struct {
	from chan amqp.Return // the transport's; it has room for the window
	all  []amqp.Return    // not matched yet
}

// of finds the return of a message that has been confirmed. The broker sends a return before its
// confirm, and the transport hands both on in that order, so it is in the channel by now. Returns
// carry no delivery tag: of several equal messages in flight the one that is confirmed first takes
// it.
func (r *returns) of(m *Message) *amqp.Return {
	r.receive()
	if m.env.NotMandatory {
		return nil // an equal one beside it may be, and the return is that one's
	}
	for i := range r.all {
		if isOf(&r.all[i], m) {
			found := r.all[i]
			r.all = slices.Delete(r.all, i, i+1)
			return &found
		}
	}
	return nil
}

func (r *returns) receive() {
	for {
		select {
		case back, ok := <-r.from:
			if ok {
				r.all = append(r.all, back)
				continue
			}
		default:
		}
		return
	}
}

// isOf says whether a return is of an equal message. Two copies of one message may be in flight,
// with different attempts.
func isOf(r *amqp.Return, m *Message) bool {
	e := &m.env
	return r.MessageId == e.MessageId && r.Exchange == e.Exchange && r.RoutingKey == e.RoutingKey && m.hasBody(r.Body) &&
		wire.Int(r.Headers[wire.RetryAttempts]) == wire.Int(e.Headers[wire.RetryAttempts])
}

func unroutable(r *amqp.Return) error {
	err := fmt.Errorf("%w (%d %s)", ErrUnroutable, r.ReplyCode, r.ReplyText)
	if r.Exchange == "" {
		err = fmt.Errorf("there is no such queue: %w", err)
	}
	return err
}
