package consumer

import (
	"context"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/topology"
)

// run keeps a session alive until Stop.
func (c *Consumer) run() {
	defer close(c.ran)
	defer c.leaveApart()
	for !c.stopping.Load() {
		c.trouble.began = time.Now()
		if err := c.session(); !c.goOn(err) {
			return
		}
	}
}

// session is one, from the connection to the end of its channel.
func (c *Consumer) session() error {
	link, err := c.connect()
	if err == nil {
		err = c.declare(c.connecting, link)
	}
	if err == nil {
		err = c.consume(link)
		c.moveAfter(link)
	}
	return err
}

// trouble is what run remembers between sessions.
type trouble struct {
	backoff backoff.Backoff
	began   time.Time // the last session
	told    bool      // OnFatal, of this one
}

// goOn says whether there is to be another session, and when it is time for it.
func (c *Consumer) goOn(err error) bool {
	c.setReady(false)
	switch {
	case c.stopping.Load():
		return false
	case errors.Is(err, errYield):
		return true
	case errors.Is(err, connection.ErrClosed): // for good: there is nothing to wait for
		c.setErr(err)
		c.tell(err)
		return false
	}
	c.waitAfter(err)
	return true
}

// waitAfter makes known why a session has ended, and waits before the next.
func (c *Consumer) waitAfter(err error) {
	t := &c.trouble
	c.setErr(err)
	if time.Since(t.began) > 5*time.Second {
		t.backoff.Reset()
		t.told = false
	}
	if errors.Is(err, transport.ErrUnreadable) { // the connection paces itself
		t.backoff.Reset()
	}
	pause := t.backoff.Next()
	if permanent(err) {
		c.tell(err)
		c.log.Error("consumer cannot go on until somebody changes something", "err", err)
		if f := c.spec.OnFatal; f != nil && !t.told {
			go f(err)
		}
		t.told = true
		if !transport.Permanent(err) { // the connection paces itself
			pause = slowRetry
		}
	} else {
		c.log.Warn("consumer interrupted", "err", err)
	}
	backoff.Wait(c.connecting, pause)
}

// slowRetry is the pause after a refusal that waiting does not mend.
const slowRetry = 10 * time.Second

// connect waits for a session, but not in silence: what keeps it away is known to Health, to
// the log and, if it is a refusal, to OnFatal.
func (c *Consumer) connect() (transport.Session, error) {
	ctx, cancel := context.WithTimeout(c.connecting, 10*time.Second)
	defer cancel()
	return c.where().Session(ctx)
}

// permanent says whether somebody has to change something first.
func permanent(err error) bool {
	var mismatch *topology.MismatchError
	if transport.Permanent(err) || errors.As(err, &mismatch) ||
		errors.Is(err, topology.ErrMissing) || errors.Is(err, topology.ErrRefused) {
		return true
	}
	var refused *amqp.Error
	if errors.As(err, &refused) && refused.Server {
		switch refused.Code {
		case amqp.AccessRefused, amqp.NotFound, amqp.NotAllowed, amqp.NotImplemented:
			return true
		}
	}
	return false
}

// declare declares the queues, on a channel of its own: a refusal closes it.
func (c *Consumer) declare(ctx context.Context, link transport.Session) error {
	if c.spec.Redeclare == RedeclareOff && c.everReady() {
		return nil
	}
	ch, err := link.Channel(ctx)
	if err != nil {
		return err
	}
	err = link.Do(ctx, "declare the queues", func() error { return c.topology.Declare(ch) })
	if errors.Is(err, topology.ErrUnchecked) {
		c.log.Info("queues not checked", "err", err)
		err = nil
	}
	if !ch.IsClosed() {
		_ = link.Do(context.Background(), "close a channel", ch.Close) // if that fails the session is over
	}
	return err
}

func (c *Consumer) everReady() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ever
}

// setReady tells whether a subscription stands.
func (c *Consumer) setReady(ready bool) {
	c.ready.Store(ready)
	if !ready {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ever = true
	c.tell(nil)
}

// setErr keeps why there is no subscription, for Health.
func (c *Consumer) setErr(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastErr = err
}

// tell answers Start, if it is waiting.
func (c *Consumer) tell(err error) {
	select {
	case c.first <- err:
	default:
	}
}

// poke makes receive look again at what it should do.
func (c *Consumer) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}
