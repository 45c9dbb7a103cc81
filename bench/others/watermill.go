package main

import (
	"context"
	"errors"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	"github.com/ThreeDotsLabs/watermill/message"
	raw "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

// declared is for a queue that exists already. Watermill would declare it with other arguments.
type declared struct{}

func (declared) BuildTopology(*raw.Channel, amqp.BuildTopologyParams, amqp.Config, watermill.LoggerAdapter) error {
	return nil
}

func (declared) ExchangeDeclare(*raw.Channel, string, amqp.Config) error { return nil }

func watermillConfig(r *turn.Run) amqp.Config {
	config := amqp.NewDurableQueueConfig(r.URL)
	config.TopologyBuilder = declared{}
	return config
}

// consumeWatermill subscribes so many times. A subscription has one message in hand at a time,
// whatever its prefetch: it takes the next one when this one is acked. Subscriptions share the
// prefetch.
func consumeWatermill(subscribers int) turn.Do {
	return func(ctx context.Context, r *turn.Run) error {
		config := watermillConfig(r)
		config.Consume.Qos.PrefetchCount = prefetch / subscribers
		sub, err := amqp.NewSubscriber(config, watermill.NopLogger{})
		if err != nil {
			return err
		}
		for range subscribers {
			messages, err := sub.Subscribe(ctx, r.Queue)
			if err != nil {
				return errors.Join(err, sub.Close())
			}
			go func() { // ends with the subscriber
				for m := range messages {
					r.Meter.Tick()
					m.Ack()
				}
			}()
		}
		return errors.Join(r.Meter.Wait(ctx), sub.Close())
	}
}

// publishWatermill has a channel for each caller: with fewer, callers would wait for one.
func publishWatermill(_ context.Context, r *turn.Run) error {
	config := watermillConfig(r)
	config.Publish.ConfirmDelivery = true
	config.Publish.ChannelPoolSize = callers
	pub, err := amqp.NewPublisher(config, watermill.NopLogger{})
	if err != nil {
		return err
	}
	err = r.Share(callers, func() error {
		return pub.Publish(r.Queue, message.NewMessage(watermill.NewUUID(), r.Body))
	})
	return errors.Join(err, pub.Close())
}
