package link

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// session is the life of one TCP connection, or of several that live and die together: see member.
type session struct {
	// Immutable once the session is known.
	timeout time.Duration // for one answer of the broker
	target  Target        // without the password
	notice  func(transport.Event)
	// allowance is that of the link.
	allowance *allowance

	done chan struct{} // closed at the end of the session
	// Why the session ended. Whoever sets over writes it before it closes done.
	err     error
	blocked atomic.Pointer[string]        // written under mu
	change  atomic.Pointer[chan struct{}] // closed and replaced under mu when blocked changes

	mu      sync.Mutex      // guards what is below, and what members say of themselves to it
	members []*member       // the first one is always there
	opened  []*amqp.Channel // some may be closed by now
	closing bool            // close says goodbye on all of them
	over    bool

	extension
	succession
	asker transport.Asker
}

// extension opens the session's further TCP connections.
type extension struct {
	another   func(n int) (*member, error) // immutable: dials the n-th TCP connection of the session
	extending chan struct{}                // held by the goroutine that opens one
	failed    error                        // why there is none; the holder of extending uses these
	failedAt  time.Time
}

var _ transport.Session = (*session)(nil)

func newSession(first *member, timeout time.Duration, t Target) *session {
	t.Password = ""
	s := &session{
		timeout: timeout, target: t, allowance: new(allowance),
		done: make(chan struct{}), members: []*member{first}, extension: extension{extending: make(chan struct{}, 1)},
	}
	s.retired, s.retire = context.WithCancel(context.Background())
	change := make(chan struct{})
	s.change.Store(&change)
	return s
}

// watch reports what the broker says about one whole TCP connection, until that ends. Then the
// session ends.
func (s *session) watch(m *member) {
	closed := m.conn.NotifyClose(make(chan *amqp.Error, 1))
	blocked := m.conn.NotifyBlocked(make(chan amqp.Blocking, 16))
	for {
		select {
		case b, ok := <-blocked:
			if !ok {
				blocked = nil
				continue
			}
			s.setBlocked(m, b)
		case e := <-closed: // nil if this client closed the connection
			s.end(m, m.why(e))
			return
		}
	}
}

// end ends the session because one of its TCP connections has ended.
func (s *session) end(m *member, why error) {
	s.mu.Lock()
	first := !s.over
	s.over = true
	closing, members := s.closing, s.members
	if s.why != nil {
		why = s.why
	}
	s.mu.Unlock()
	m.socket.abort(why)
	if !first {
		return
	}
	s.err = why
	if !closing {
		for _, m := range members {
			m.socket.abort(why)
		}
	}
	close(s.done)
}

// why returns the reason of the TCP connection's end: what the broker said, or the first error of
// the socket.
func (m *member) why(e *amqp.Error) error {
	cause := m.socket.cause()
	switch {
	case e != nil && e.Server:
		return e
	case e != nil && e.Code == amqp.FrameError && (cause == nil || errors.Is(cause, net.ErrClosed)):
		// The library ended the session, and the socket had no error.
		return fmt.Errorf("%w: %w", transport.ErrUnreadable, e)
	case cause != nil:
		return cause
	case e != nil:
		return e
	}
	return errors.New("connection: closed")
}

// setBlocked notes what the broker says of one TCP connection. The session is blocked while any of
// them is: an alarm concerns all, and each is told when it publishes.
func (s *session) setBlocked(m *member, b amqp.Blocking) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m.blocked = ""
	if b.Active {
		m.blocked = cmp.Or(b.Reason, "no reason given")
	}
	var reason *string
	for _, m := range s.members {
		if text := m.blocked; text != "" {
			reason = &text // a copy, which is read without the lock
		}
	}
	was := s.blocked.Swap(reason) != nil
	change := make(chan struct{})
	close(*s.change.Swap(&change))
	switch {
	case reason != nil && !was:
		s.notice(transport.Event{Kind: transport.Blocked, Reason: *reason})
	case reason == nil && was:
		s.notice(transport.Event{Kind: transport.Unblocked})
	}
}

// Blocked says whether the broker takes no messages at present, because of a memory or disk alarm,
// and why. The channel is closed when that changes.
func (s *session) Blocked() (reason string, blocked bool, change <-chan struct{}) {
	ch := *s.change.Load() // first, so that a change between the two loads is not missed
	if r := s.blocked.Load(); r != nil {
		return *r, true, ch
	}
	return "", false, ch
}

// Done is closed when the session has ended.
func (s *session) Done() <-chan struct{} { return s.done }

// Err is why the session ended, nil while it lives.
func (s *session) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// User is the name of the login. The broker accepts no other user id on a message.
func (s *session) User() string { return s.target.Username }

// Peer describes the broker at the other end.
func (s *session) Peer() transport.Peer {
	first := s.member(0)
	said := func(key string) string {
		text, _ := first.conn.Properties[key].(string)
		return text
	}
	return transport.Peer{
		Product: said("product"), Version: said("version"), Cluster: said("cluster_name"),
		Addr: s.target.Addr, User: s.target.Username, VHost: s.target.VHost, TLS: s.target.TLS != nil, Heartbeat: first.conn.Config.Heartbeat,
		FrameMax: first.frame,
	}
}

// Abort closes the socket at once. Every call that is stuck in it returns.
func (s *session) Abort(why error) {
	for _, m := range s.all() {
		m.socket.abort(why)
	}
}

// Do runs f, which makes a request through the client library. Such a request has no timeout. If
// the broker does not answer within the ReplyTimeout, Do ends the session, which frees f. If ctx
// ends first, Do returns while f still runs: the caller may not read what f sets.
func (s *session) Do(ctx context.Context, what string, f func() error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
	ended := make(chan error, 1)
	go func() {
		timer := time.AfterFunc(s.timeout, func() { s.Abort(fmt.Errorf("%w: %s for %s", transport.ErrNoReply, what, s.timeout)) })
		defer timer.Stop()
		ended <- f()
	}()
	select {
	case err := <-ended:
		if cause := s.member(0).socket.cause(); err != nil && errors.Is(cause, transport.ErrNoReply) {
			err = cause
		}
		return err
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
}

// close says goodbye to the broker, and takes d at most. The session's end has the reason, if there
// is one.
func (s *session) close(d time.Duration, reason error) {
	timer := time.AfterFunc(d, func() { s.Abort(errors.New("connection: no goodbye in time")) })
	defer timer.Stop()
	s.renewal.end()
	s.mu.Lock()
	s.closing, s.why = true, reason
	members := s.members
	s.mu.Unlock()
	var goodbyes sync.WaitGroup
	for _, m := range members {
		goodbyes.Go(func() { _ = m.conn.Close() }) // the socket is closed afterwards, whatever the broker answered
	}
	goodbyes.Wait()
	s.Abort(transport.ErrClosed)
	<-s.done
}
