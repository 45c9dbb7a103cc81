package errorqueue

import (
	"context"
	"errors"
	"fmt"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

var (
	errNotFound   = errors.New("not found")
	errNotAllowed = errors.New("not allowed to look")
	errLocked     = errors.New("locked")
)

// ask does something on a channel of its own, which the broker closes if it refuses.
func ask(ctx context.Context, session transport.Session, what string, f func(transport.Channel) error) error {
	ch, err := session.Channel(ctx)
	if err != nil {
		return err
	}
	err = session.Do(ctx, what, func() error { return f(ch) })
	if !ch.IsClosed() {
		_ = session.Do(context.WithoutCancel(ctx), "close a channel", ch.Close)
	}
	var refused *amqp.Error
	if errors.As(err, &refused) {
		switch refused.Code {
		case amqp.NotFound:
			return fmt.Errorf("%w: %w", errNotFound, err)
		case amqp.AccessRefused:
			return fmt.Errorf("%w: %w", errNotAllowed, err)
		case amqp.ResourceLocked:
			return fmt.Errorf("%w: %w", errLocked, err)
		}
	}
	return err
}

// count is how many messages of a queue nobody holds. It is -1 with an error.
func count(ctx context.Context, session transport.Session, queue string) (int, error) {
	n := make(chan int, 1)
	err := ask(ctx, session, "look at a queue", func(ch transport.Channel) error {
		found, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
		n <- found.Messages
		return err
	})
	if err != nil {
		return -1, err
	}
	return <-n, nil
}
