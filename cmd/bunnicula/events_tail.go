package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// Bounds of the queue of a tail, so that a slow terminal costs the broker little. What is oldest is
// dropped.
const (
	tailLength   = 10_000
	tailBytes    = 64 << 20
	tailPrefetch = 20
)

// tailAgain is the pause before the exchange is looked for again, or the connection used again.
const tailAgain = time.Second

// tailRebind is how often the queue is bound again. An exchange that is deleted takes the bindings
// with it, and nobody is told.
const tailRebind = 10 * time.Second

// eventTail reads the events of an exchange, over lost connections.
type eventTail struct {
	app     *app
	options eventsOptions
	link    transport.Link
	rebind  time.Duration // how often, as tailRebind
	show    func(amqp.Delivery) (enough bool, err error)

	// What was said.
	seen    bool // that events are watched
	waiting bool // that the exchange is missing
	lost    bool // that the connection is lost
}

// run shows events until show has enough, ctx ends, or something has to be mended.
func (t *eventTail) run(ctx context.Context) error {
	for {
		session, err := t.link.Session(ctx)
		if err != nil {
			return err
		}
		enough, err := t.session(ctx, session)
		if enough || ctx.Err() != nil {
			return err
		}
		if err = t.judge(session, err); err != nil {
			return err
		}
		select {
		case <-time.After(tailAgain):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// judge decides whether to go on after an error. It returns nil if so, and has said why.
func (t *eventTail) judge(session transport.Session, err error) error {
	switch code := refusedBy(err); {
	case session.Err() != nil, code == 0:
	case code != amqp.NotFound:
		return err
	case !t.options.wait && !t.seen:
		return fmt.Errorf("no app publishes events here: there is no exchange %q in the virtual host (add control.EventsModule to an app; --wait waits for the exchange, and --declare makes it)", t.options.exchange)
	default:
		if !t.waiting {
			t.waiting = true
			t.say("there is no exchange %q, waiting for it", t.options.exchange)
		}
		return nil
	}
	if !t.lost {
		t.lost = true
		why := session.Err()
		if why == nil {
			why = err
		}
		t.say("connection lost: %v; events may be missing", why)
	}
	return nil
}

// refusedBy returns the code of a refusal that does not go away with another connection, and else
// 0.
func refusedBy(err error) int {
	var refused *amqp.Error
	if !errors.As(err, &refused) {
		return 0
	}
	switch refused.Code {
	case amqp.NotFound, amqp.AccessRefused, amqp.ResourceLocked, amqp.PreconditionFailed, amqp.NotAllowed, amqp.NotImplemented, amqp.CommandInvalid:
		return refused.Code
	}
	return 0
}

func (t *eventTail) say(format string, args ...any) {
	fmt.Fprintln(t.app.err, "bunnicula:", plain(fmt.Sprintf(format, args...)))
}

// session shows events until the session ends.
func (t *eventTail) session(ctx context.Context, session transport.Session) (enough bool, err error) {
	ch, err := session.Channel(ctx)
	if err != nil {
		return false, err
	}
	defer func() {
		if !ch.IsClosed() {
			_ = session.Do(context.WithoutCancel(ctx), "close the channel", ch.Close)
		}
	}()
	var queue string
	var deliveries <-chan amqp.Delivery
	err = session.Do(ctx, "subscribe to events", func() (err error) {
		queue, deliveries, err = t.subscribe(ch)
		return err
	})
	if err != nil {
		return false, err
	}
	switch {
	case t.lost:
		t.say("connected again")
	case !t.seen || t.waiting:
		t.say("watching %s at %s; ^C ends", t.options.exchange, where(session.Peer()))
	}
	t.seen, t.waiting, t.lost = true, false, false
	again := time.NewTicker(t.rebind)
	defer again.Stop()
	for {
		select {
		case d, ok := <-deliveries:
			if !ok {
				return false, errors.New("the broker has ended the subscription")
			}
			if enough, err := t.show(d); enough || err != nil {
				return true, err
			}
			_ = ch.Ack(d.DeliveryTag, false) // an error means that the channel has ended
		case <-again.C:
			if err := session.Do(ctx, "bind again", func() error { return t.bind(ch, queue) }); err != nil {
				return false, err
			}
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// subscribe makes a queue that lasts as long as the connection, binds it, and subscribes to it.
func (t *eventTail) subscribe(ch transport.Channel) (queue string, _ <-chan amqp.Delivery, _ error) {
	exchange := t.options.exchange
	if t.options.declare {
		if err := ch.ExchangeDeclare(exchange, amqp.ExchangeTopic, true, false, false, false, nil); err != nil {
			return "", nil, fmt.Errorf("declare exchange %q: %w", exchange, err)
		}
	}
	queue = strings.ToValidUTF8(exchange[:min(len(exchange), 200)], "") + "." + strings.ToLower(rand.Text())
	_, err := ch.QueueDeclare(queue, false, true, true, false, amqp.Table{
		"x-queue-type": "classic", "x-max-length": int64(tailLength), "x-max-length-bytes": int64(tailBytes),
	})
	if err != nil {
		return "", nil, fmt.Errorf("declare a queue of one's own: %w", err)
	}
	if err := t.bind(ch, queue); err != nil {
		return "", nil, err
	}
	if err := ch.Qos(tailPrefetch, 0, false); err != nil {
		return "", nil, err
	}
	deliveries, err := ch.Consume(queue, "", false, true, false, false, nil)
	if err != nil {
		return "", nil, fmt.Errorf("read events: %w", err)
	}
	return queue, deliveries, nil
}

// bind binds the queue, which changes nothing if it is bound.
func (t *eventTail) bind(ch transport.Channel, queue string) error {
	for _, key := range t.options.keys() {
		if err := ch.QueueBind(queue, key, t.options.exchange, false, nil); err != nil {
			return fmt.Errorf("bind to exchange %q: %w", t.options.exchange, err)
		}
	}
	return nil
}

// keys are the bindings that bring what was asked for.
func (o *eventsOptions) keys() (keys []string) {
	what := o.what
	if len(what) == 0 {
		what = []string{"*"}
	}
	switch {
	case len(o.queues) == 0 && len(o.what) == 0:
		return []string{"#"} // also what is no event of ours
	case len(o.queues) == 0:
		for _, w := range what {
			keys = append(keys, "#."+w)
		}
	}
	for _, queue := range o.queues {
		for _, w := range what {
			keys = append(keys, control.EventKey(queue, control.What(w)))
		}
	}
	return keys
}
