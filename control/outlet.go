package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/publisher"
)

const (
	maxBatch   = 64              // events that are published together
	patience   = 5 * time.Second // for the broker to confirm a batch, or to answer
	lookAgain  = time.Minute     // for an exchange that is missing
	retryAfter = time.Second     // of a connection that is down
)

// errNoExchange is why events are dropped without a further line in the log.
var errNoExchange = errors.New("control: the exchange of events is missing, or may not be used")

// outlet publishes events to an exchange that is there. An event for an exchange that is not makes
// the broker close a channel with all that is in flight on it. So the outlet looks first, and after
// a refusal again.
//
// Only the goroutine of the monitor uses it, but for published.
type outlet struct {
	pub      publisher.Publisher // immutable
	link     transport.Link      // immutable; nil if nothing is declared
	again    time.Duration       // immutable; until a missing exchange is looked for again
	exchange string              // immutable
	app      string              // immutable
	losses   *losses             // immutable
	log      *slog.Logger        // immutable

	wake     *time.Timer // rings when it is time to look
	ready    bool        // the exchange was seen, and nothing was refused since
	rests    bool        // the exchange is missing, until wake rings
	told     bool        // that the exchange is missing is in the log
	differs  bool        // that the exchange has other arguments is in the log
	refusals int         // in a row, of events

	published atomic.Uint64 // how many events the broker has confirmed; Stats reads it
}

// send publishes a batch, or drops it.
func (o *outlet) send(ctx context.Context, batch []*Event) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("the broker has not confirmed them within %s", patience))
	defer cancel()
	if err := o.prepare(ctx); err != nil {
		if errors.Is(err, errNoExchange) {
			o.losses.silently(len(batch))
		} else {
			o.losses.add(len(batch), err)
		}
		return
	}
	messages := make([]publisher.Message, len(batch))
	for i, e := range batch {
		messages[i] = o.message(e)
	}
	o.judge(len(batch), o.pub.PublishBatch(ctx, messages...))
}

func (o *outlet) message(e *Event) publisher.Message {
	options := []publisher.Option{
		publisher.Exchange(o.exchange), publisher.NotMandatory(), publisher.With(publisher.JSON),
		publisher.Type(string(e.What)), publisher.Timestamp(e.At),
	}
	if o.app != "" {
		options = append(options, publisher.AppID(o.app))
	}
	return publisher.Message{RoutingKey: EventKey(e.Queue, e.What), Payload: e, Options: options}
}

// judge counts what became of a batch of n.
func (o *outlet) judge(n int, err error) {
	failed := 0
	if err != nil {
		failed = n
		var some *publisher.BatchError
		if errors.As(err, &some) {
			failed = len(some.Errs)
		}
		o.losses.add(failed, err)
	}
	o.published.Add(uint64(n - failed))
	var refused *publisher.RefusedError
	switch {
	case errors.As(err, &refused) && (refused.Code == amqp.NotFound || refused.Code == amqp.AccessRefused):
		o.refused(err)
	case failed < n:
		o.accepted()
	}
}

// accepted notes that the exchange is there, and that this user may write to it.
func (o *outlet) accepted() {
	o.refusals = 0
	if o.told {
		o.told = false
		o.log.Info("events are published again", "exchange", o.exchange)
	}
}

// refused has the outlet look for the exchange. After a second refusal in a row it rests: the
// exchange is there, and this user may not write to it.
func (o *outlet) refused(err error) {
	o.ready = false
	if o.refusals++; o.refusals > 1 || o.link == nil {
		o.rest(err)
	}
}

// look is what happens when wake rings.
func (o *outlet) look(ctx context.Context) {
	o.rests = false
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_ = o.prepare(ctx) // who publishes the next event is told
}

// prepare sees to it that the exchange is there.
func (o *outlet) prepare(ctx context.Context) error {
	switch {
	case o.ready:
		return nil
	case o.rests:
		return errNoExchange
	case o.link == nil:
		o.ready = true
		return nil
	}
	err := o.declare(ctx)
	var refused *amqp.Error
	switch {
	case err == nil:
		o.ready = true
		return nil
	case errors.As(err, &refused) && (refused.Code == amqp.NotFound || refused.Code == amqp.AccessRefused):
		o.rest(err)
		return errNoExchange
	}
	o.wake.Reset(retryAfter)
	return err
}

// rest drops events until it is time to look again.
func (o *outlet) rest(err error) {
	o.rests, o.ready = true, false
	o.wake.Reset(o.again)
	if !o.told {
		o.told = true
		o.log.Warn("events are not published", "exchange", o.exchange, "err", err,
			"do", "declare the exchange (bunnicula events --declare), or let this user configure it, and let this user write to it")
	}
}

// declare declares the exchange. Where this user may not, or where it exists with other arguments,
// it is enough that it is there; the log tells of those arguments, once. A direct exchange takes
// all events and hands none on.
func (o *outlet) declare(ctx context.Context) error {
	err := o.request(ctx, "declare the exchange of events", func(ch transport.Channel) error {
		return ch.ExchangeDeclare(o.exchange, amqp.ExchangeTopic, true, false, false, false, nil)
	})
	var refused *amqp.Error
	if !errors.As(err, &refused) || refused.Code != amqp.AccessRefused && refused.Code != amqp.PreconditionFailed {
		return err
	}
	missing := o.request(ctx, "look for the exchange of events", func(ch transport.Channel) error {
		return ch.ExchangeDeclarePassive(o.exchange, amqp.ExchangeTopic, true, false, false, false, nil)
	})
	if missing == nil {
		if refused.Code == amqp.PreconditionFailed && !o.differs {
			o.differs = true
			o.log.Warn("the exchange of events is not a durable topic exchange", "exchange", o.exchange, "err", err,
				"do", "if it is of another kind, no queue gets the events that its keys choose: name another one in EventsConfig.Exchange, or delete this one")
		}
		return nil
	}
	return fmt.Errorf("%w; %w", err, missing)
}

// request makes one request on a channel of its own.
func (o *outlet) request(ctx context.Context, what string, f func(transport.Channel) error) error {
	session, err := o.link.Session(ctx)
	if err != nil {
		return fmt.Errorf("control: %s: %w", what, err)
	}
	ch, err := session.Channel(ctx)
	if err != nil {
		return fmt.Errorf("control: %s: %w", what, err)
	}
	err = session.Do(ctx, what, func() error { return f(ch) })
	if !ch.IsClosed() {
		_ = session.Do(ctx, "close a channel", ch.Close) // what was asked for is known
	}
	if err != nil {
		return fmt.Errorf("control: %s %q: %w", what, o.exchange, err)
	}
	return nil
}
