package consumer

import (
	"context"
	"errors"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// session is a consumer's time on one session of a TCP connection. It has the channel with the
// subscription, the intake that uses the channel, and the guard beside it. It is immutable once it
// is open.
type session struct {
	c         *Consumer
	link      transport.Session
	retired   <-chan struct{} // closed when another session of the TCP connection is there
	dedicated bool            // no other consumer uses the TCP connection
	began     time.Time

	main     *channel
	closed   chan *amqp.Error // why main has ended
	canceled chan string      // the broker has cancelled the subscription
	intake   *intake
	guard    *guard         // nil where the crash guard is off
	guarding sync.WaitGroup // the guard's goroutine; close waits for it
}

// errHard ends a session when the context of Stop has ended.
var errHard = errors.New("the stop is out of time")

// openSession opens the channel of a session and makes its parts. Nothing runs yet.
func (c *Consumer) openSession(link transport.Session, dedicated bool) (*session, error) {
	s := &session{c: c, link: link, retired: link.Retired().Done(), dedicated: dedicated, began: time.Now()}
	in := &intake{c: c, lives: s}
	main, err := c.openChannel(c.stages.connecting, link, in.fell)
	if err != nil {
		return nil, err
	}
	s.main, s.intake, in.from = main, in, main
	s.closed = main.NotifyClose(make(chan *amqp.Error, 1))
	s.canceled = main.NotifyCancel(make(chan string, 1))
	if c.rules.Quarantine.Queue != "" {
		s.guard = newGuard(c, link)
	}
	return s, nil
}

// run runs the session from its first subscription to the end of its channels. It returns why it
// ended, nil for a Stop.
func (s *session) run() error {
	c := s.c
	c.gauges.setErr(nil)
	if s.guard != nil {
		s.guard.look()
		s.guarding.Go(s.guard.run)
	}
	defer context.AfterFunc(s.link.Retired(), c.control.changed.set)()
	if s.dedicated {
		defer time.AfterFunc(calmAfter, c.control.changed.set).Stop()
		defer time.AfterFunc(returnAfter, c.control.changed.set).Stop()
	}
	err := s.intake.run()
	if errors.Is(err, errHard) {
		err = nil
	}
	if errors.Is(err, amqp.ErrClosed) && s.link.Err() == nil { // the notice of the channel says why
		err = s.wait()
	}
	return s.close(err)
}

// close ends the guard and the channel. err is why the session ends. A guard whose session was lost
// leaves its message to the broker; otherwise close waits until that message is settled.
func (s *session) close(err error) error {
	c := s.c
	c.gauges.subscribed.Store(false)
	if s.guard != nil {
		s.guard.stop(err != nil && !errors.Is(err, errReturn))
		s.guarding.Wait()
	}
	dropped, e := s.main.close("close the consuming channel")
	if e != nil {
		c.log.Info("close the consuming channel", "err", e)
	}
	if dropped > 0 {
		c.gauges.stale.Add(int64(dropped))
		c.log.Info("session ended before acks were sent, the broker delivers the messages again", "messages", dropped)
	}
	return err
}

// calmAfter is how long a session on a dedicated connection takes one message at a time. If a
// message ends the connection, all that were taken come back, and the broker counts a return of
// each.
const calmAfter = 3 * time.Second

// returnAfter is how long such a session lasts until the consumer goes back to the shared
// connection.
const returnAfter = 10 * time.Second

// careful returns whether one message is taken at a time.
func (s *session) careful() bool {
	return s.dedicated && (s.c.spec.SingleActive || time.Since(s.began) < calmAfter)
}

// returns returns whether the session is to end, as soon as nothing is unsettled, so that the next
// one is on the shared connection.
func (s *session) returns() bool { return s.dedicated && time.Since(s.began) >= returnAfter }

// retires returns whether another session of the TCP connection is there. Then this one is to end as
// soon as nothing is unsettled.
func (s *session) retires() bool {
	select {
	case <-s.retired:
		return true
	default:
		return false
	}
}

// wait waits until the main channel has ended, and returns why.
func (s *session) wait() error {
	select {
	case _, ok := <-s.canceled:
		return s.over(ok)
	case e := <-s.closed:
		return s.ended(e)
	case <-s.c.stages.hard.Done():
		return errHard
	}
}

// over returns what a notice on canceled means. The client also closes that Go channel at the end
// of the AMQP channel.
func (s *session) over(canceled bool) error {
	if canceled {
		return errCanceled
	}
	return s.ended(<-s.closed)
}

// ended returns why the channel has ended.
func (s *session) ended(e *amqp.Error) error {
	if e != nil && e.Server {
		return e
	}
	s.c.pool.takeBack() // no handler begins it while this waits
	// Most often the connection has ended, or is about to, and knows why.
	return errors.Join(asError(e), transport.WhyEnded(s.c.stages.hard, s.link, 5*time.Second))
}

// asError turns no reason into amqp.ErrClosed.
func asError(e *amqp.Error) error {
	if e == nil {
		return amqp.ErrClosed
	}
	return e
}
