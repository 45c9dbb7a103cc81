package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	amqp "github.com/rabbitmq/amqp091-go"
)

// dial opens a connection with the usual settings: a heartbeat and a name.
func (r *run) dial(f func(*amqp.Connection) error) error {
	conn, err := amqp.DialConfig(r.URL, amqp.Config{Heartbeat: 10 * time.Second, Properties: amqp.Table{"connection_name": "bench raw"}})
	if err != nil {
		return err
	}
	err = f(conn)
	if e := conn.CloseDeadline(time.Now().Add(20 * time.Second)); e != nil && !errors.Is(e, amqp.ErrClosed) {
		err = errors.Join(err, e)
	}
	return err
}

// confirming is a channel with confirms. It receives returns, and remembers them.
type confirming struct {
	*amqp.Channel
	returned chan amqp.Return
}

func openConfirming(conn *amqp.Connection) (confirming, error) {
	ch, err := conn.Channel()
	if err != nil {
		return confirming{}, err
	}
	return confirming{ch, ch.NotifyReturn(make(chan amqp.Return, 2048))}, ch.Confirm(false)
}

func (r *run) confirming(f func(confirming) error) error {
	return r.dial(func(conn *amqp.Connection) error {
		ch, err := openConfirming(conn)
		if err != nil {
			return err
		}
		return f(ch)
	})
}

// send publishes with the same properties as this library: persistent, mandatory, an id, a
// timestamp.
func (ch confirming) send(queue string, body []byte) (*amqp.DeferredConfirmation, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	return ch.PublishWithDeferredConfirm("", queue, true, false, amqp.Publishing{
		ContentType: "application/octet-stream", DeliveryMode: amqp.Persistent, MessageId: id.String(), Timestamp: time.Now(), AppId: "bench",
		Body: body,
	})
}

// wait waits for a confirm. A return comes before the confirm.
func (ch confirming) wait(ctx context.Context, c *amqp.DeferredConfirmation) error {
	ok, err := c.WaitContext(ctx)
	switch {
	case err != nil:
		return err
	case !ok:
		return errors.New("the broker does not accept a message")
	}
	select {
	case back := <-ch.returned:
		return fmt.Errorf("returned: %d %s", back.ReplyCode, back.ReplyText)
	default:
		return nil
	}
}

// publishRaw publishes one message at a time in each of so many goroutines, which share one
// channel.
func publishRaw(callers int) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error {
		return r.confirming(func(ch confirming) error {
			return r.Share(callers, func() error {
				c, err := ch.send(r.Queue, r.Body)
				if err != nil {
					return err
				}
				return ch.wait(ctx, c)
			})
		})
	}
}

// publishPipelined has one goroutine that publishes and one that waits for the confirms. Up to
// window messages are between them.
func publishPipelined(window int) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error {
		return r.confirming(func(ch confirming) error {
			return ch.pipeline(ctx, r.Queue, r.Body, r.Meter.All(), window, r.Meter.Tick)
		})
	}
}

// pipeline publishes so many messages, and calls tick for each confirmed one.
func (ch confirming) pipeline(ctx context.Context, queue string, body []byte, messages int64, window int, tick func()) error {
	sent := make(chan *amqp.DeferredConfirmation, window)
	waited := make(chan error, 1)
	go func() {
		var err error
		for c := range sent { // all of them, so that the publishing goroutine never waits for room
			if err == nil {
				err = ch.wait(ctx, c)
				tick()
			}
		}
		waited <- err
	}()
	var err error
	for range messages {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
			break
		}
		var c *amqp.DeferredConfirmation
		if c, err = ch.send(queue, body); err != nil {
			break
		}
		sent <- c
	}
	close(sent)
	return errors.Join(err, <-waited)
}
