package consumer

import (
	"context"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/topology"
)

// supervisor runs one session after the other until Stop.
type supervisor struct {
	c  *Consumer // immutable
	id string    // immutable: random, for consumer tags

	attachment *attachment // immutable; nil without a connection

	first chan error    // answers Start: nil when the first subscription stands, or why it does not
	ran   chan struct{} // closed when run has ended

	// Only the supervisor's goroutine uses these.
	backoff  backoff.Backoff // between sessions
	began    time.Time       // when the last session began; zero if the last try ended before
	told     bool            // OnFatal was called for the present trouble
	answered bool            // Start has its answer, or wants none: it sets that before run
}

func newSupervisor(c *Consumer) *supervisor {
	return &supervisor{
		c: c, id: sending.NewID(), first: make(chan error, 1), ran: make(chan struct{}),
		backoff: backoff.Backoff{Min: 100 * time.Millisecond, Max: 2 * time.Second},
	}
}

// run is the supervisor's goroutine. Stop waits for it.
func (v *supervisor) run() {
	defer close(v.ran)
	v.attachment.shared.Roll.Join()
	defer v.attachment.leave()
	for !v.c.control.get().stopping {
		v.began = time.Time{}
		if err := v.session(); !v.goOn(err) {
			return
		}
	}
}

// session runs one session: it connects, waits for its turn, declares the queues, subscribes and
// returns why that ended. It counts a session that was lost.
func (v *supervisor) session() error {
	c := v.c
	link, dedicated, err := v.connect()
	if err != nil {
		return err
	}
	entered, err := v.attachment.enter(c.stages.connecting)
	if err != nil {
		return err
	}
	// A declaration may end the connection too: RabbitMQ answers 541 if it cannot place a quorum
	// queue.
	if err := c.settler.declarer.first(c.stages.connecting, link); err != nil {
		v.attachment.after(link, entered, err)
		return err
	}
	defer c.settler.policies.watch(c.stages.connecting, c.conn)()
	s, err := c.openSession(link, dedicated)
	if err != nil {
		return err
	}
	v.began = time.Now()
	err = s.run()
	blamed := v.attachment.after(link, v.began, err)
	if !blamed && !errors.Is(err, errReturn) && !c.control.get().stopping {
		// A session that a message of this queue ended does not count: the count would make that
		// message look innocent. For the first 3 s no other is in hand. The guard counts what it
		// had itself.
		c.gauges.survived.session(time.Now())
	}
	return err
}

// connect waits for a session of the connection, for 10 s at most. So Health, the log and, for a
// refusal, OnFatal learn what keeps it away.
func (v *supervisor) connect() (session transport.Session, dedicated bool, err error) {
	ctx, cancel := context.WithTimeout(v.c.stages.connecting, 10*time.Second)
	defer cancel()
	link, dedicated := v.attachment.link()
	session, err = link.Session(ctx)
	return session, dedicated, err
}

// goOn waits until it is time for another session. It returns false if there is to be none.
func (v *supervisor) goOn(err error) bool {
	switch {
	case v.c.stages.connecting.Err() != nil: // which Stop ends first
		return false
	case errors.Is(err, errYield), errors.Is(err, errReturn):
		return true
	case errors.Is(err, transport.ErrClosed): // the connection was stopped, and never comes back
		v.c.gauges.setErr(err)
		v.answer(err)
		return false
	}
	v.waitAfter(err)
	return true
}

// slowRetry is the pause after a refusal that somebody has to mend.
const slowRetry = 10 * time.Second

// waitAfter reports why a session has ended, and waits before the next one.
func (v *supervisor) waitAfter(err error) {
	v.c.gauges.setErr(err)
	if !v.began.IsZero() && time.Since(v.began) > 5*time.Second {
		v.backoff.Reset()
		v.told = false
	}
	// A dedicated link that a message has ended waits itself. One that a declaration has ended
	// waits here.
	if _, dedicated := v.attachment.link(); dedicated && !v.began.IsZero() && transport.EndedByMessage(err) {
		v.backoff.Reset()
	}
	pause := v.backoff.Next()
	v.c.announcer.away()
	if !permanent(err) {
		v.c.announcer.trouble(!v.began.IsZero(), err)
		backoff.Wait(v.c.stages.connecting, pause)
		return
	}
	// Start returns the first answer, and stops the consumer: whoever started it reports the error.
	if !v.answer(err) {
		v.c.log.Error("consumer cannot go on until somebody changes something", "err", err)
	}
	if !v.told {
		v.tell(err)
	}
	if !transport.Permanent(err) { // after a refused login the link itself waits
		pause = slowRetry
	}
	backoff.Wait(v.c.stages.connecting, pause)
}

// tell calls OnFatal in a goroutine of its own, for which nobody waits.
func (v *supervisor) tell(err error) {
	v.told = true
	f := v.c.spec.OnFatal
	if f == nil {
		return
	}
	go func() {
		defer func() {
			if p := recover(); p != nil {
				v.c.log.Error("OnFatal panicked", "panic", foreign.Panic(p))
			}
		}()
		f(err)
	}()
}

// answer answers Start. Only the first answer counts; answer returns whether this is it. The
// supervisor's goroutine calls it.
func (v *supervisor) answer(err error) (first bool) {
	if v.answered {
		return false
	}
	v.answered = true
	v.first <- err // has room for one
	return true
}

// subscribed is called by the intake when a subscription stands.
func (v *supervisor) subscribed(peer transport.Peer) {
	v.c.settler.declarer.declared()
	v.idle(peer)
}

// idle is called by the intake when no subscription is wanted, because of a pause: Start does not
// wait for one.
func (v *supervisor) idle(peer transport.Peer) {
	v.c.announcer.works(peer)
	v.answer(nil)
}

// permanent returns whether somebody has to change something before the consumer can go on.
func permanent(err error) bool {
	var mismatch *topology.MismatchError
	if transport.Permanent(err) || errors.Is(err, transport.ErrNoChannel) || errors.As(err, &mismatch) ||
		errors.Is(err, topology.ErrMissing) || errors.Is(err, topology.ErrRefused) ||
		errors.Is(err, topology.ErrInvalid) || errors.Is(err, topology.ErrStream) || errors.Is(err, ErrOtherPartitions) {
		return true
	}
	var refused *amqp.Error
	if errors.As(err, &refused) && refused.Server {
		switch refused.Code {
		case amqp.AccessRefused, amqp.NotFound, amqp.NotAllowed, amqp.NotImplemented:
			// Another user of the connection has opened the channels, and a secret is the connection's.
			return !transport.TooManyChannels(refused) && !transport.SecretRefused(refused)
		}
	}
	return false
}
