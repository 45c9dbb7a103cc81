package inspect

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/compare"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/topology"
)

// BlockedError says that the broker takes no messages because of an alarm.
type BlockedError struct{ Reason string }

func (e *BlockedError) Error() string { return "the broker takes no messages: " + e.Reason }

// MayPublish says whether this user may write to the default exchange. It publishes a message for
// which no queue is bound, so that the broker returns it. If the broker takes no messages the error
// is a *BlockedError. No other question can be asked then: the broker does not read from this
// connection until its alarm is over.
func (b *Broker) MayPublish(ctx context.Context) (bool, error) {
	err := b.Ask(ctx, "try to publish", func(ch transport.Channel) error {
		closed := ch.NotifyClose(make(chan *amqp.Error, 1))
		if err := ch.Confirm(false); err != nil {
			return err
		}
		// The loop publishes twice, because a broker with an alarm still takes the first message of
		// a connection.
		for range 2 {
			confirm, err := ch.Publish("", "bunnicula-doctor-"+uuid.NewString(), true, amqp.Publishing{})
			if err != nil {
				return err
			}
			if err := b.confirmed(confirm, closed); err != nil {
				return err
			}
		}
		return nil
	})
	return allowed(err)
}

// confirmed waits for a confirm, or for the reason why there is none.
func (b *Broker) confirmed(confirm transport.Confirmation, closed <-chan *amqp.Error) error {
	for {
		reason, blocked, change := b.session.Blocked()
		if blocked {
			return &BlockedError{reason}
		}
		select {
		case <-change:
			continue
		case <-confirm.Done():
		}
		if confirm.Acked() {
			return nil
		}
		if err := <-closed; err != nil {
			return err
		}
		return errors.New("the broker did not confirm a message that nobody gets")
	}
}

// MayRead says whether this user may consume from a queue, and whether it is a stream. It asks for
// a consumer that the broker refuses. The broker checks the permission first, and then looks for
// the queue.
func (b *Broker) MayRead(ctx context.Context, queue string) (may, stream bool, err error) {
	err = b.Ask(ctx, "try to consume", func(ch transport.Channel) error {
		if err := ch.Qos(1, 0, false); err != nil {
			return err
		}
		return compare.Consume(ch, queue)
	})
	switch {
	case errors.Is(err, topology.ErrStream):
		return true, true, nil
	case code(err) == amqp.PreconditionFailed, code(err) == amqp.NotFound,
		code(err) == amqp.AccessRefused && strings.Contains(err.Error(), "exclusive use"):
		return true, false, nil
	}
	may, err = allowed(err)
	return may, false, err
}

func allowed(err error) (bool, error) {
	if code(err) == amqp.AccessRefused {
		return false, nil
	}
	return err == nil, err
}
