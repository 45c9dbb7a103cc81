package main

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/topology"
)

// copies is how a side of the cases about the broker retries each message once. All these sides are
// the same code of the raw client, so only the broker's work differs. It is immutable.
type copies struct {
	headers   amqp.Table
	body      []byte // replaces that of the message
	transient bool
	expires   bool          // each copy says how long it waits
	together  time.Duration // all copies expire so long after the first delivery; 0 after their wait
	queues    int           // copies go to so many retry queues in turn; 0 is one
	serial    bool          // the next message is taken when the copy is confirmed
}

// gathered is how many messages an ack is for at most.
const gathered = 32

// taken is a message that is acked as soon as its copy is confirmed.
type taken struct {
	amqp.Delivery

	copy *amqp.DeferredConfirmation // nil if the message has come back
}

// retry publishes a copy of each message, and acks the message when the copy is confirmed. A copy
// that has come back is acked and counted. With together, the measurement begins when the copies
// expire.
func (c copies) retry(ctx context.Context, r *run) error {
	// The confirms come on a second connection, because a blocked connection stops acks too.
	return r.confirming(func(pub confirming) error {
		ctx, cancel := context.WithCancelCause(ctx)
		var settling sync.WaitGroup
		defer settling.Wait()
		defer cancel(nil)
		all := make(chan taken, 300)
		settling.Go(func() { cancel(r.settle(ctx, pub, all)) })

		var expiry time.Time
		published := 0
		return r.loops(ctx, 1, 1, cap(all), false, func(d amqp.Delivery) error {
			if expiry.IsZero() {
				expiry = time.Now().Add(c.together)
				time.AfterFunc(c.together, r.Meter.Start)
			}
			t := taken{Delivery: d}
			if _, back := d.Headers["x-death"]; !back {
				if c.together > 0 && !time.Now().Before(expiry) {
					return errors.New("the first copy has expired before the last one is published")
				}
				var err error
				queue := topology.RetryQueue(r.Queue, delayOf(published%max(c.queues, 1)))
				if t.copy, err = pub.PublishWithDeferredConfirm("", queue, true, false, c.of(d, expiry)); err != nil {
					return err
				}
				published++
				if c.serial {
					if err := pub.wait(ctx, t.copy); err != nil {
						return err
					}
				}
			}
			select {
			case all <- t:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
	})
}

// of returns the copy of a message.
func (c copies) of(d amqp.Delivery, expiry time.Time) amqp.Publishing {
	p := amqp.Publishing{
		Headers: c.headers, ContentType: d.ContentType, DeliveryMode: amqp.Persistent, MessageId: d.MessageId,
		Timestamp: d.Timestamp, AppId: d.AppId, Body: d.Body,
	}
	if c.body != nil {
		p.Body = c.body
	}
	if c.transient {
		p.DeliveryMode = amqp.Transient
	}
	switch {
	case c.together > 0:
		p.Expiration = strconv.FormatInt(max(time.Until(expiry).Milliseconds(), 1), 10)
	case c.expires:
		p.Expiration = strconv.FormatInt(pause.Milliseconds(), 10)
	}
	return p
}

// settle acks messages in the order in which they came, several with one frame. It counts those
// that have come back.
func (r *run) settle(ctx context.Context, pub confirming, all <-chan taken) error {
	unacked, back := 0, 0
	for {
		select {
		case t := <-all:
			if t.copy == nil {
				back++
			} else if err := pub.wait(ctx, t.copy); err != nil {
				return err
			}
			if unacked++; unacked < gathered && len(all) > 0 {
				continue
			}
			if err := t.Ack(true); err != nil {
				return err
			}
			for range back {
				r.Meter.Tick()
			}
			unacked, back = 0, 0
		case <-ctx.Done():
			return nil
		}
	}
}

// delayOf returns the delay of a retry queue. Queues of one side have about the same one.
func delayOf(i int) time.Duration { return pause + time.Duration(i)*time.Millisecond }
