package main

import (
	"context"
	"errors"

	"github.com/wagslane/go-rabbitmq"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

// silent logs nothing.
type silent struct{}

func (silent) Fatalf(string, ...any) {}
func (silent) Errorf(string, ...any) {}
func (silent) Warnf(string, ...any)  {}
func (silent) Infof(string, ...any)  {}
func (silent) Debugf(string, ...any) {}

func consumeGoRabbitMQ(ctx context.Context, r *turn.Run) error {
	conn, err := rabbitmq.NewConn(r.URL, rabbitmq.WithConnectionOptionsLogger(silent{}))
	if err != nil {
		return err
	}
	consumer, err := rabbitmq.NewConsumer(conn, r.Queue,
		rabbitmq.WithConsumerOptionsQueueNoDeclare,
		rabbitmq.WithConsumerOptionsConcurrency(handlers),
		rabbitmq.WithConsumerOptionsQOSPrefetch(prefetch),
		rabbitmq.WithConsumerOptionsLogger(silent{}),
	)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { // ends with the consumer
		err := consumer.Run(func(rabbitmq.Delivery) rabbitmq.Action {
			r.Meter.Tick()
			return rabbitmq.Ack
		})
		if err != nil {
			cancel(err)
		}
	}()
	err = r.Meter.Wait(ctx)
	consumer.Close()
	// Close waits for handlers, and not for their acks. The broker closes the connection over an ack
	// that comes after the channel's end. bench looks at the queue afterwards.
	_ = conn.Close()
	return err
}

func publishGoRabbitMQ(ctx context.Context, r *turn.Run) error {
	conn, err := rabbitmq.NewConn(r.URL, rabbitmq.WithConnectionOptionsLogger(silent{}))
	if err != nil {
		return err
	}
	pub, err := rabbitmq.NewPublisher(conn, rabbitmq.WithPublisherOptionsConfirm, rabbitmq.WithPublisherOptionsLogger(silent{}))
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	to := []string{r.Queue}
	err = r.Share(callers, func() error {
		confirms, err := pub.PublishWithDeferredConfirmWithContext(ctx, r.Body, to, rabbitmq.WithPublishOptionsPersistentDelivery)
		if err != nil {
			return err
		}
		for _, c := range confirms {
			if ok, err := c.WaitContext(ctx); err != nil || !ok {
				return errors.Join(errRefused, err)
			}
		}
		return nil
	})
	pub.Close()
	return errors.Join(err, conn.Close())
}

var errRefused = errors.New("the broker does not accept a message")
