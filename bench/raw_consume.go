package main

import (
	"context"
	"errors"
	"maps"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/topology"
)

// consumerTag is the tag of the only subscription of a channel.
const consumerTag = "bench"

// subscribe opens a channel and consumes on it.
func (r *run) subscribe(conn *amqp.Connection, prefetch int, autoAck bool) (*amqp.Channel, <-chan amqp.Delivery, error) {
	ch, err := conn.Channel()
	if err != nil {
		return nil, nil, err
	}
	if err := ch.Qos(prefetch, 0, false); err != nil {
		return nil, nil, err
	}
	deliveries, err := ch.Consume(r.Queue, consumerTag, autoAck, false, false, false, nil)
	return ch, deliveries, err
}

// loops subscribes on so many channels. Each channel has so many goroutines that call f for each
// message. An error of f ends it.
func (r *run) loops(ctx context.Context, channels, workers, prefetch int, autoAck bool, f func(amqp.Delivery) error) error {
	return r.dial(func(conn *amqp.Connection) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		for range channels {
			ch, deliveries, err := r.subscribe(conn, prefetch, autoAck)
			if err != nil {
				return err
			}
			for range workers {
				go func() { // ends with the connection
					for d := range deliveries {
						if err := f(d); err != nil {
							cancel(err)
							return
						}
					}
				}()
			}
			defer func() { _ = ch.Close() }() // answered after the last ack
		}
		return r.Meter.Wait(ctx)
	})
}

// acked counts a message and acks it, each with one frame. The ack comes first, so that the last
// message is done when its ack is written.
func (r *run) acked(d amqp.Delivery) error {
	if err := d.Ack(false); err != nil {
		return err
	}
	r.Meter.Tick()
	return nil
}

// consumeRaw is the usual loop of a raw client.
func consumeRaw(channels, prefetch int) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error {
		return r.loops(ctx, channels, 1, prefetch, false, r.acked)
	}
}

// consumeRawAutoAck lets the broker forget each message as soon as it is sent. Messages of a
// process that dies are lost.
func consumeRawAutoAck(ctx context.Context, r *run) error {
	return r.loops(ctx, 1, 1, 0, true, func(amqp.Delivery) error {
		r.Meter.Tick()
		return nil
	})
}

func consumeRawJSON(ctx context.Context, r *run) error {
	return r.loops(ctx, 1, 1, 300, false, func(d amqp.Delivery) error {
		if err := decodeDocument(d.Body); err != nil {
			return err
		}
		return r.acked(d)
	})
}

func consumeRawSlow(ctx context.Context, r *run) error {
	var slow slowness
	return r.loops(ctx, 1, 64, 300, false, func(d amqp.Delivery) error {
		slow.wait()
		return r.acked(d)
	})
}

// retryCount is the header that counts attempts.
const retryCount = "retry-attempts"

// retryRaw publishes a copy to the retry queue, waits for its confirm, and acks the original.
func retryRaw(ctx context.Context, r *run) error {
	// The confirms come on a second connection, because a blocked connection stops acks too.
	return r.confirming(func(pub confirming) error {
		var first atomic.Bool
		return r.loops(ctx, 1, 16, 300, false, func(d amqp.Delivery) error {
			if first.CompareAndSwap(false, true) {
				r.Meter.Start()
			}
			if d.Headers[retryCount] != nil {
				return r.acked(d)
			}
			headers := amqp.Table{}
			maps.Copy(headers, d.Headers)
			headers[retryCount] = int32(1)
			c, err := pub.PublishWithDeferredConfirm("", topology.RetryQueue(r.Queue, pause), true, false, amqp.Publishing{
				Headers: headers, ContentType: d.ContentType, DeliveryMode: amqp.Persistent, MessageId: d.MessageId,
				Timestamp: d.Timestamp, AppId: d.AppId, Body: d.Body,
			})
			if err != nil {
				return err
			}
			if c == nil {
				return errors.New("the channel does not confirm")
			}
			if err := pub.wait(ctx, c); err != nil {
				return err
			}
			return d.Ack(false)
		})
	})
}
