package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

const (
	// replies is RabbitMQ's direct reply-to: what is published on a channel that consumes it has
	// its answers there (https://www.rabbitmq.com/docs/direct-reply-to).
	replies = "amq.rabbitmq.reply-to"

	closing      = 500 * time.Millisecond // for the reason why a channel has ended
	maxProcesses = 10_000                 // whose answers are kept
)

// desk is a channel on which a Fleet writes to the stream, and gets the answers. One goroutine uses
// it.
type desk struct {
	stream  string // also the exchange
	app     string
	session transport.Session
	channel transport.Channel
	answers <-chan amqp.Delivery
	returns chan amqp.Return
	closed  chan *amqp.Error
}

// open opens a desk.
func (f *Fleet) open(ctx context.Context) (*desk, error) {
	session, err := f.link.Session(ctx)
	if err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	channel, err := session.Channel(ctx)
	if err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	d := &desk{
		stream: f.stream, app: f.conn.Name(), session: session, channel: channel,
		returns: channel.NotifyReturn(make(chan amqp.Return, 4)), closed: channel.NotifyClose(make(chan *amqp.Error, 1)),
	}
	err = session.Do(ctx, "consume answers", func() (err error) {
		d.answers, err = channel.Consume(replies, "", true, false, false, false, nil)
		return err
	})
	if err == nil {
		err = session.Do(ctx, "confirm orders", func() error { return channel.Confirm(false) })
	}
	if err != nil {
		d.close(ctx)
		return nil, fmt.Errorf("control: %w", err)
	}
	return d, nil
}

func (d *desk) close(ctx context.Context) {
	if !d.channel.IsClosed() {
		_ = d.session.Do(ctx, "close a channel", d.channel.Close) // what was asked for is known
	}
}

// write publishes a record with a reply-to, and returns its id when the broker has it.
func (d *desk) write(ctx context.Context, r record) (id string, err error) {
	r.Version, r.ID, r.At = ControlVersion, newID(), time.Now().UTC().Truncate(time.Millisecond)
	if err := r.check(); err != nil {
		return "", fmt.Errorf("control: %w", err)
	}
	msg := amqp.Publishing{
		ContentType: "application/json", DeliveryMode: amqp.Persistent, MessageId: r.ID, Type: string(r.Kind),
		Timestamp: r.At, AppId: foreign.Cut(d.app, maxName), ReplyTo: replies, Body: r.body(),
	}
	var confirmed transport.Confirmation
	err = d.session.Do(ctx, "write an order", func() (err error) {
		confirmed, err = d.channel.Publish(d.stream, d.stream, true, msg)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("control: write to the exchange %q: %w", d.stream, d.reason(err))
	}
	select {
	case <-confirmed.Done():
	case <-ctx.Done():
		err := context.Cause(ctx)
		if why, blocked, _ := d.session.Blocked(); blocked {
			err = fmt.Errorf("the broker takes no messages: %s: %w", foreign.Line(why, maxLogged), err)
		}
		return "", fmt.Errorf("control: write to the exchange %q: it is not known whether it was written: %w", d.stream, err)
	}
	select {
	case _, ok := <-d.returns: // closed when the channel has ended
		if ok {
			return "", fmt.Errorf("control: write to the exchange %q: the stream %q is not bound to it with its name as key", d.stream, d.stream)
		}
	default:
	}
	if !confirmed.Acked() {
		return "", fmt.Errorf("control: write to the exchange %q: %w", d.stream, d.reason(errors.New("the broker did not confirm it")))
	}
	return r.ID, nil
}

// reason returns why the channel has ended, with what to do about it; err if that is not known.
func (d *desk) reason(err error) error {
	timer := time.NewTimer(closing)
	defer timer.Stop()
	var closed *amqp.Error
	select {
	case closed = <-d.closed:
	case <-timer.C:
	}
	switch {
	case closed == nil:
		return err
	case closed.Code == amqp.NotFound:
		return fmt.Errorf("nobody has declared it: no process with control.Module has run, or none of them may: %w", closed)
	case closed.Code == amqp.AccessRefused:
		return fmt.Errorf("the user %s needs the permission to write to the exchange: %w", foreign.Line(d.session.User(), maxName), closed)
	}
	return closed
}

// ask writes an ask, and takes the answers of a time. The inquiry has who has answered.
func (d *desk) ask(ctx context.Context, wait time.Duration, r record) (*inquiry, error) {
	written := time.Now()
	id, err := d.write(ctx, r)
	if err != nil {
		return nil, err
	}
	q := &inquiry{asked: newRoll(id, written)}
	return q, d.collect(ctx, wait, q)
}

// order writes an order, and takes the answers of a time: of all who are concerned, or those of
// them who were in time.
func (d *desk) order(ctx context.Context, wait time.Duration, r record, q *inquiry) (id string, err error) {
	written := time.Now()
	if id, err = d.write(ctx, r); err != nil {
		return "", err
	}
	q.order(newRoll(id, written), r.Consumers)
	if err = d.collect(ctx, wait, q); errors.Is(err, errLost) {
		err = nil // the order is written: those who have not answered are silent
	}
	return id, err
}

// errLost says that no more answers can come.
var errLost = errors.New("control: the connection was lost while answers were awaited")

// collect takes answers until the inquiry ends, or the time is over.
func (d *desk) collect(ctx context.Context, wait time.Duration, q *inquiry) error {
	over, quiet := time.NewTimer(wait), time.NewTimer(wait)
	defer over.Stop()
	defer quiet.Stop()
	for {
		end, never := q.end()
		if end.IsZero() && !never {
			return nil
		}
		if !never {
			quiet.Reset(time.Until(end))
		}
		select {
		case answered, ok := <-d.answers:
			if !ok {
				return errLost
			}
			if a, ok := parseAnswer(answered.Body); ok {
				q.take(a, time.Now())
			}
		case <-quiet.C:
			return nil
		case <-over.C:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("control: await answers: %w", context.Cause(ctx))
		}
	}
}

// parseAnswer reads an answer. Strangers may write to the queue too.
func parseAnswer(body []byte) (a answer, ok bool) {
	err := json.Unmarshal(body, &a)
	return a, err == nil && a.Version >= 1 && a.Version <= ControlVersion && a.Process.ID != ""
}
