package main

import (
	"context"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"gocloud.dev/pubsub"
	"gocloud.dev/pubsub/rabbitpubsub"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

// closeGoCloud shuts a topic or a subscription down, which waits for acks that are on their way. It
// then closes the connection.
func closeGoCloud(open interface{ Shutdown(context.Context) error }, conn *amqp.Connection) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return errors.Join(open.Shutdown(ctx), conn.Close())
}

// consumeGoCloud dials itself: the library leaves that, and dialing again, to its user.
func consumeGoCloud(ctx context.Context, r *turn.Run) error {
	conn, err := amqp.Dial(r.URL)
	if err != nil {
		return err
	}
	limit := prefetch
	sub := rabbitpubsub.OpenSubscription(conn, r.Queue, &rabbitpubsub.SubscriptionOptions{PrefetchCount: &limit})
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	for range handlers {
		go func() { // ends with the subscription
			for {
				m, err := sub.Receive(ctx)
				if err != nil {
					cancel(err)
					return
				}
				r.Meter.Tick()
				m.Ack()
			}
		}()
	}
	return errors.Join(r.Meter.Wait(ctx), closeGoCloud(sub, conn))
}

// publishGoCloud publishes to the default exchange. The routing key is a part of the metadata.
func publishGoCloud(ctx context.Context, r *turn.Run) error {
	conn, err := amqp.Dial(r.URL)
	if err != nil {
		return err
	}
	const key = "queue"
	topic := rabbitpubsub.OpenTopic(conn, "", &rabbitpubsub.TopicOptions{KeyName: key})
	err = r.Share(callers, func() error {
		return topic.Send(ctx, &pubsub.Message{Body: r.Body, Metadata: map[string]string{key: r.Queue}, BeforeSend: persistent})
	})
	return errors.Join(err, closeGoCloud(topic, conn))
}

// persistent is for what the library has no option for.
func persistent(as func(any) bool) error {
	var p *amqp.Publishing
	if !as(&p) {
		return errors.New("no message of amqp091-go")
	}
	p.DeliveryMode = amqp.Persistent
	return nil
}
