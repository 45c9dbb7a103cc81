package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// session is the life of one TCP connection.
type session struct {
	conn    *amqp.Connection
	socket  *socket
	timeout time.Duration // for one answer of the broker
	target  Target        // without the password
	frame   int           // the largest frame that may be sent, in bytes

	done chan struct{} // closed by watch at the end of the session
	// Why the session ended. watch writes it before it closes done.
	err     error
	blocked atomic.Pointer[string]        // written by watch
	change  atomic.Pointer[chan struct{}] // closed and replaced by watch when blocked changes
}

var _ transport.Session = (*session)(nil)

func newSession(conn *amqp.Connection, sock *socket, frame int, timeout time.Duration, t Target) *session {
	t.Password = ""
	s := &session{conn: conn, socket: sock, frame: frame, timeout: timeout, target: t, done: make(chan struct{})}
	change := make(chan struct{})
	s.change.Store(&change)
	return s
}

// watch reports what the broker says about the whole connection, until the connection ends.
func (s *session) watch(notice func(transport.Event)) {
	closed := s.conn.NotifyClose(make(chan *amqp.Error, 1))
	blocked := s.conn.NotifyBlocked(make(chan amqp.Blocking, 16))
	for {
		select {
		case b, ok := <-blocked:
			if !ok {
				blocked = nil
				continue
			}
			s.setBlocked(b)
			if b.Active {
				notice(transport.Event{Kind: transport.Blocked, Reason: b.Reason})
			} else {
				notice(transport.Event{Kind: transport.Unblocked})
			}
		case e := <-closed: // nil if this client closed the connection
			s.err = s.why(e)
			s.socket.abort(s.err)
			close(s.done)
			return
		}
	}
}

// why returns the reason of the session's end: what the broker said, or the first error of the
// socket.
func (s *session) why(e *amqp.Error) error {
	cause := s.socket.cause()
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

func (s *session) setBlocked(b amqp.Blocking) {
	if b.Active {
		s.blocked.Store(&b.Reason)
	} else {
		s.blocked.Store(nil)
	}
	change := make(chan struct{})
	close(*s.change.Swap(&change))
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
	said := func(key string) string {
		text, _ := s.conn.Properties[key].(string)
		return text
	}
	return transport.Peer{
		Product: said("product"), Version: said("version"), Cluster: said("cluster_name"),
		Addr: s.target.Addr, User: s.target.Username, VHost: s.target.VHost, TLS: s.target.TLS != nil, Heartbeat: s.conn.Config.Heartbeat,
		FrameMax: s.frame,
	}
}

// Abort closes the socket at once. Every call that is stuck in it returns.
func (s *session) Abort(why error) { s.socket.abort(why) }

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
		if err != nil && errors.Is(s.socket.cause(), transport.ErrNoReply) {
			err = s.socket.cause()
		}
		return err
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
}

// close says goodbye to the broker, and takes d at most.
func (s *session) close(d time.Duration) {
	timer := time.AfterFunc(d, func() { s.Abort(errors.New("connection: no goodbye in time")) })
	defer timer.Stop()
	_ = s.conn.Close() // the socket is closed afterwards, whatever the broker answered
	s.Abort(transport.ErrClosed)
	<-s.done
}
