package consumer

import (
	"context"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/topology"
)

// supervisor keeps a session alive until Stop.
type supervisor struct {
	c *Consumer // immutable

	attachment *attachment // nil in Process

	first chan error    // answers Start: the first subscription stands, or why not
	ran   chan struct{} // closed when run has ended

	// Only the goroutine that runs the supervisor uses these.
	backoff backoff.Backoff
	began   time.Time // the last session
	told    bool      // OnFatal, of this trouble
}

func newSupervisor(c *Consumer) *supervisor {
	return &supervisor{
		c: c, first: make(chan error, 1), ran: make(chan struct{}),
		backoff: backoff.Backoff{Min: 100 * time.Millisecond, Max: 2 * time.Second},
	}
}

// run is the supervisor's goroutine.
func (v *supervisor) run() {
	defer close(v.ran)
	v.attachment.shared.Roll.Join()
	defer v.attachment.leave()
	for !v.c.control.get().stopping {
		v.began = time.Now()
		if err := v.session(); !v.goOn(err) {
			return
		}
	}
}

// session is one session, from the connection to the end of its channels.
func (v *supervisor) session() error {
	c := v.c
	link, dedicated, err := v.connect()
	if err != nil {
		return err
	}
	if err := c.settler.declarer.first(c.stages.connecting, link); err != nil {
		return err
	}
	entered, err := v.attachment.enter(c.stages.connecting)
	if err != nil {
		return err
	}
	s, err := c.openSession(link, dedicated)
	if err != nil {
		return err
	}
	err = s.run()
	if blamed := v.attachment.after(link, entered, err); !blamed && !c.control.get().stopping {
		// Not for a session that a message of this queue has ended: its neighbours are taken one at a time.
		c.gauges.lost.Add(1)
	}
	return err
}

// connect waits for a session, but not in silence: what keeps it away is known to Health, to the log and,
// if it is a refusal, to OnFatal.
func (v *supervisor) connect() (session transport.Session, dedicated bool, err error) {
	ctx, cancel := context.WithTimeout(v.c.stages.connecting, 10*time.Second)
	defer cancel()
	link, dedicated := v.attachment.link()
	session, err = link.Session(ctx)
	return session, dedicated, err
}

// goOn says whether there is to be another session, when it is time for it.
func (v *supervisor) goOn(err error) bool {
	switch {
	case v.c.control.get().stopping:
		return false
	case errors.Is(err, errYield), errors.Is(err, errReturn):
		return true
	case errors.Is(err, transport.ErrClosed): // for good: there is nothing to wait for
		v.c.gauges.setErr(err)
		v.answer(err)
		return false
	}
	v.waitAfter(err)
	return true
}

// slowRetry is the pause after a refusal that waiting does not mend.
const slowRetry = 10 * time.Second

// waitAfter makes known why a session has ended, and waits before the next.
func (v *supervisor) waitAfter(err error) {
	v.c.gauges.setErr(err)
	if time.Since(v.began) > 5*time.Second {
		v.backoff.Reset()
		v.told = false
	}
	if _, dedicated := v.attachment.link(); dedicated && transport.EndedByMessage(err) { // the connection paces itself
		v.backoff.Reset()
	}
	pause := v.backoff.Next()
	if !permanent(err) {
		v.c.log.Warn("consumer interrupted", "err", err)
		backoff.Wait(v.c.stages.connecting, pause)
		return
	}
	v.answer(err)
	v.c.log.Error("consumer cannot go on until somebody changes something", "err", err)
	if !v.told {
		v.tell(err)
	}
	if !transport.Permanent(err) { // for that the connection paces itself
		pause = slowRetry
	}
	backoff.Wait(v.c.stages.connecting, pause)
}

// tell calls OnFatal.
func (v *supervisor) tell(err error) {
	v.told = true
	f := v.c.spec.OnFatal
	if f == nil {
		return
	}
	go func() {
		defer func() {
			if p := recover(); p != nil {
				v.c.log.Error("OnFatal panicked", "panic", p)
			}
		}()
		f(err)
	}()
}

// answer answers Start, if it is waiting. The supervisor and its session call it.
func (v *supervisor) answer(err error) {
	select {
	case v.first <- err:
	default:
	}
}

// subscribed is the session's: a subscription stands.
func (v *supervisor) subscribed() {
	v.c.settler.declarer.declared()
	v.answer(nil)
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
