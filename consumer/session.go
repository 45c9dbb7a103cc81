package consumer

import (
	"errors"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// session is one life of the consumer on a TCP connection: a channel with the subscription, the guard beside
// it, and what was delivered on their channels. It is immutable once it is open.
type session struct {
	c         *Consumer
	link      transport.Session
	dedicated bool // the connection is this consumer's own
	began     time.Time

	main     *channel
	closed   chan *amqp.Error
	canceled chan string
	intake   *intake
	guard    *guard // nil where the crash guard is off
	guarding sync.WaitGroup
}

// errHard says that a Stop is out of time.
var errHard = errors.New("the stop is out of time")

// open makes a session.
func (c *Consumer) openSession(link transport.Session, dedicated bool) (*session, error) {
	s := &session{c: c, link: link, dedicated: dedicated, began: time.Now()}
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

// run is the session, from its first subscription to the end of its channels.
func (s *session) run() error {
	c := s.c
	c.gauges.setErr(nil)
	if s.guard != nil {
		s.guarding.Go(s.guard.run)
	}
	if s.dedicated {
		defer time.AfterFunc(calmAfter, c.control.changed.set).Stop()
		defer time.AfterFunc(returnAfter, c.control.changed.set).Stop()
	}
	err := s.intake.run()
	if errors.Is(err, errHard) {
		err = nil
	}
	if errors.Is(err, amqp.ErrClosed) && s.link.Err() == nil { // a request that found the channel closed
		err = s.wait()
	}
	return s.close(err)
}

// close ends the session, over an error or without one.
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

// calmAfter is how long a session on a dedicated connection must last until it takes more than one
// message ahead: a message that ends the connection comes back with all of them, and each time counts.
const calmAfter = 3 * time.Second

// returnAfter is how long such a session must last until it goes back to the shared connection.
const returnAfter = 10 * time.Second

// careful says that one message is taken at a time.
func (s *session) careful() bool {
	return s.dedicated && (s.c.spec.SingleActive || time.Since(s.began) < calmAfter)
}

// returns says that the session ends as soon as nothing is unsettled, for one on the shared connection.
func (s *session) returns() bool { return s.dedicated && time.Since(s.began) >= returnAfter }

// wait waits until the session is over, and returns why.
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

// over is what a notice on canceled means: the client closes that at the end of the channel too.
func (s *session) over(canceled bool) error {
	if canceled {
		return errCanceled
	}
	return s.ended(<-s.closed)
}

// ended is why the channel has ended.
func (s *session) ended(e *amqp.Error) error {
	if e != nil && e.Server {
		return e
	}
	select { // the connection has, or is about to, and knows better
	case <-s.link.Done():
	case <-s.c.stages.hard.Done():
	case <-time.After(5 * time.Second): // or it has not, after all
	}
	return errors.Join(asError(e), s.link.Err())
}

func asError(e *amqp.Error) error {
	if e == nil {
		return amqp.ErrClosed
	}
	return e
}
