package inspect

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
)

// MayPublish says whether this user may write to the default exchange: it sends a message that no queue is bound for, which the
// broker returns.
func (b *Broker) MayPublish(ctx context.Context) (bool, error) {
	err := b.Ask(ctx, "try to publish", func(ch *amqp.Channel) error {
		closed := ch.NotifyClose(make(chan *amqp.Error, 1))
		if err := ch.Confirm(false); err != nil {
			return err
		}
		confirm, err := ch.PublishWithDeferredConfirm("", "bunnicula-doctor-"+uuid.NewString(), true, false, amqp.Publishing{})
		if err != nil {
			return err
		}
		if confirm.Wait() {
			return nil
		}
		if err := <-closed; err != nil {
			return err
		}
		return errors.New("the broker did not confirm a message that nobody gets")
	})
	return allowed(err)
}

// MayRead says whether this user may consume from a queue: it asks for a consumer with an argument that the broker refuses, but
// only after it has looked at the permission.
func (b *Broker) MayRead(ctx context.Context, queue string) (bool, error) {
	err := b.Ask(ctx, "try to consume", func(ch *amqp.Channel) error {
		if err := ch.Qos(1, 0, false); err != nil {
			return err
		}
		_, err := ch.Consume(queue, "", false, false, false, false, amqp.Table{"x-priority": "compare-only"})
		if err == nil {
			return errors.New("the broker took a consumer that it should have refused")
		}
		return err
	})
	if code(err) == amqp.PreconditionFailed || code(err) == amqp.AccessRefused && strings.Contains(err.Error(), "exclusive use") {
		return true, nil
	}
	return allowed(err)
}

func allowed(err error) (bool, error) {
	if code(err) == amqp.AccessRefused {
		return false, nil
	}
	return err == nil, err
}
