package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// Declare declares the stream, and its exchange and binding, unless they exist. It needs no
// permission to configure where they do. What exists is left as it is, whatever its age and
// segments. The error is a *DeniedError if something is missing that the login may not declare.
func (j *Journal) Declare(ctx context.Context) error {
	s, err := j.conn.Consuming().Session(ctx)
	if err == nil {
		err = declarer{ctx, s, j.cfg}.declare()
	}
	if err != nil {
		return fmt.Errorf("journal: declare stream %q: %w", j.name(), err)
	}
	return nil
}

// declarer is one call of Declare.
type declarer struct {
	ctx     context.Context
	session transport.Session
	cfg     Config
}

func (d declarer) declare() error {
	stream, err := d.ensure("queue", d.cfg.Stream, d.look, func(ch transport.Channel) error {
		_, err := ch.QueueDeclare(d.cfg.Stream, true, false, false, false, d.cfg.arguments())
		return err
	})
	if err != nil || d.cfg.Exchange == "" {
		return err
	}
	exchange, err := d.ensure("exchange", d.cfg.Exchange, func() error {
		return d.ask("look at exchange", func(ch transport.Channel) error {
			return ch.ExchangeDeclarePassive(d.cfg.Exchange, amqp.ExchangeDirect, true, false, false, false, nil)
		})
	}, func(ch transport.Channel) error {
		return ch.ExchangeDeclare(d.cfg.Exchange, amqp.ExchangeDirect, true, false, false, false, nil)
	})
	if err != nil {
		return err
	}
	err = d.ask("bind", func(ch transport.Channel) error {
		return ch.QueueBind(d.cfg.Stream, d.cfg.Stream, d.cfg.Exchange, false, nil)
	})
	if isRefused(err, amqp.AccessRefused) {
		if !stream && !exchange { // whoever has declared them has bound them, as far as anybody can see
			return nil
		}
		return &DeniedError{"write", "queue", d.cfg.Stream, fmt.Errorf("its binding to exchange %q: %w", d.cfg.Exchange, err)}
	}
	return err
}

// settling is how long a broker that has just started may take until it has found a stream again.
const settling = 30 * time.Second

// look looks whether the stream exists. RabbitMQ 3 accepts connections before it has started its
// streams: until then they are not reachable, and no message is routed to them.
func (d declarer) look() error {
	pause := backoff.Backoff{Min: 50 * time.Millisecond, Max: time.Second}
	for until := time.Now().Add(settling); ; backoff.Wait(d.ctx, pause.Next()) {
		err := d.ask("look at queue", func(ch transport.Channel) error {
			_, err := ch.QueueDeclarePassive(d.cfg.Stream, true, false, false, false, nil)
			return err
		})
		if !isRefused(err, amqp.NotFound) || isMissing(err) || d.ctx.Err() != nil || time.Now().After(until) {
			return err
		}
	}
}

// ensure declares something if it does not exist, and says whether it did so.
func (d declarer) ensure(kind, name string, look func() error, declare func(transport.Channel) error) (made bool, err error) {
	switch err = look(); {
	case err == nil, isRefused(err, amqp.AccessRefused): // who may not look at it cannot declare it: who reads or writes will see
		return false, nil
	case !isRefused(err, amqp.NotFound):
		return false, err
	}
	err = d.ask("declare "+kind, declare)
	if isRefused(err, amqp.AccessRefused) {
		return false, fmt.Errorf("%w: %w", ErrGone, &DeniedError{"configure", kind, name, err})
	}
	if isRefused(err, amqp.PreconditionFailed) && look() == nil {
		return false, nil // somebody else has just declared it otherwise
	}
	return err == nil, err
}

// ask makes one request on a channel of its own, since a refusal closes it.
func (d declarer) ask(what string, request func(transport.Channel) error) error {
	ch, err := d.session.Channel(d.ctx)
	if err != nil {
		return err
	}
	err = d.session.Do(d.ctx, what, func() error { return request(ch) })
	shut(d.session, ch)
	return err
}

// goodbye is how long a reader waits for its channel's end.
const goodbye = 5 * time.Second

// shut closes a channel. A request that was given up may still run on it.
func shut(s transport.Session, ch transport.Channel) {
	ctx, cancel := context.WithTimeout(context.Background(), goodbye)
	defer cancel()
	_ = s.Do(ctx, "close a channel", func() error {
		if err := ch.Close(); err != nil && !errors.Is(err, amqp.ErrClosed) {
			return err
		}
		return nil
	})
}
