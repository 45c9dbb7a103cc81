package main

import (
	"context"

	"github.com/makasim/amqpextra"
	"github.com/makasim/amqpextra/consumer"
	"github.com/makasim/amqpextra/publisher"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

// dialExtra calls f with a Dialer, and waits until that is closed.
func dialExtra(r *turn.Run, f func(*amqpextra.Dialer) error) error {
	dialer, err := amqpextra.NewDialer(amqpextra.WithURL(r.URL))
	if err != nil {
		return err
	}
	err = f(dialer)
	dialer.Close()
	<-dialer.NotifyClosed()
	return err
}

func consumeAMQPExtra(ctx context.Context, r *turn.Run) error {
	return dialExtra(r, func(dialer *amqpextra.Dialer) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		c, err := dialer.Consumer(
			consumer.WithQueue(r.Queue),
			consumer.WithQos(prefetch, false),
			consumer.WithWorker(consumer.NewParallelWorker(handlers)),
			consumer.WithHandler(consumer.HandlerFunc(func(_ context.Context, d amqp.Delivery) any {
				r.Meter.Tick()
				if err := d.Ack(false); err != nil {
					cancel(err)
				}
				return nil
			})),
		)
		if err != nil {
			return err
		}
		err = r.Meter.Wait(ctx)
		c.Close()
		<-c.NotifyClosed()
		return err
	})
}

func publishAMQPExtra(ctx context.Context, r *turn.Run) error {
	return dialExtra(r, func(dialer *amqpextra.Dialer) error {
		pub, err := dialer.Publisher(publisher.WithConfirmation(callers))
		if err != nil {
			return err
		}
		err = r.Share(callers, func() error {
			return pub.Publish(publisher.Message{
				Context: ctx, Key: r.Queue,
				Publishing: amqp.Publishing{DeliveryMode: amqp.Persistent, Body: r.Body},
			})
		})
		pub.Close()
		<-pub.NotifyClosed()
		return err
	})
}
