package connection

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Session is the life of one TCP connection. It never comes back: what was
// delivered or published on it, and not settled by then, is the broker's again.
type Session struct {
	conn    *amqp.Connection
	socket  *socket
	timeout time.Duration // for an answer of the broker
	addr    string
	user    string
	vhost   string
	secure  bool

	done    chan struct{} // closed at its end
	err     error         // why it ended; read it after done
	blocked atomic.Pointer[string]
	change  atomic.Pointer[chan struct{}] // closed when blocked changes
}

func newSession(conn *amqp.Connection, sock *socket, timeout time.Duration, t target) *Session {
	s := &Session{conn: conn, socket: sock, timeout: timeout, addr: t.addr, user: t.username, vhost: t.vhost, secure: t.secure, done: make(chan struct{})}
	change := make(chan struct{})
	s.change.Store(&change)
	return s
}

// watch reports what the broker says of the whole connection until it ends.
func (s *Session) watch(notice func(Event)) {
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
				notice(Event{Kind: Blocked, Reason: b.Reason})
			} else {
				notice(Event{Kind: Unblocked})
			}
		case e, ok := <-closed:
			s.err = errors.New("connection: closed")
			switch cause := s.socket.cause(); {
			case ok && e != nil && e.Server:
				s.err = e
			case ok && e != nil && e.Code == amqp.FrameError && (cause == nil || errors.Is(cause, net.ErrClosed)):
				s.err = fmt.Errorf("%w: %w", ErrUnreadable, e) // the library ended it, and not for the socket
			case cause != nil:
				s.err = cause
			case ok && e != nil:
				s.err = e
			}
			s.socket.abort(s.err)
			close(s.done)
			return
		}
	}
}

func (s *Session) setBlocked(b amqp.Blocking) {
	if b.Active {
		s.blocked.Store(&b.Reason)
	} else {
		s.blocked.Store(nil)
	}
	change := make(chan struct{})
	close(*s.change.Swap(&change))
}

// Blocked says whether the broker takes no messages at present (a memory or disk
// alarm), why, and gives a channel that is closed when that changes.
func (s *Session) Blocked() (reason string, blocked bool, change <-chan struct{}) {
	ch := *s.change.Load() // first, so that a change in between is not missed
	if r := s.blocked.Load(); r != nil {
		return *r, true, ch
	}
	return "", false, ch
}

// ErrUnreadable ends a session whose broker sent what the client library cannot read, such as a message
// with header tables nested more than 32 deep. The broker will deliver that message again, to the
// same end, so a consumer that has met this is better [Connection.Apart] from others.
var ErrUnreadable = errors.New("connection: the client cannot read what the broker sent")

// Done is closed when the session has ended.
func (s *Session) Done() <-chan struct{} { return s.done }

// Err is why the session ended, nil while it lives.
func (s *Session) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// User is the name that we logged in with; it is the only user id that a message may carry.
func (s *Session) User() string { return s.user }

// Peer is who is at the other end of a session, and what was agreed with it.
type Peer struct {
	Product   string // as the broker says, "RabbitMQ"
	Version   string // as the broker says, "4.0.5"
	Cluster   string // the cluster's name
	Addr      string // host:port
	User      string
	VHost     string
	TLS       bool
	Heartbeat time.Duration
}

// Peer tells who is at the other end.
func (s *Session) Peer() Peer {
	said := func(key string) string {
		text, _ := s.conn.Properties[key].(string)
		return text
	}
	return Peer{
		Product: said("product"), Version: said("version"), Cluster: said("cluster_name"),
		Addr: s.addr, User: s.user, VHost: s.vhost, TLS: s.secure, Heartbeat: s.conn.Config.Heartbeat,
	}
}

// Abort closes the socket at once. Whatever is stuck in it returns.
func (s *Session) Abort(why error) { s.socket.abort(why) }

// ErrNoReply ends a session whose broker does not answer a request.
var ErrNoReply = errors.New("connection: the broker does not answer")

// Do runs f, which asks something of the broker through the client library. Its
// calls know no timeout, so a broker that does not answer within the ReplyTimeout
// loses the session, which frees f. When ctx ends first Do returns, and f is
// left to end by itself: nothing that f sets may be read then.
func (s *Session) Do(ctx context.Context, what string, f func() error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
	ended := make(chan error, 1)
	go func() {
		timer := time.AfterFunc(s.timeout, func() { s.Abort(fmt.Errorf("%w: %s for %s", ErrNoReply, what, s.timeout)) })
		defer timer.Stop()
		ended <- f()
	}()
	select {
	case err := <-ended:
		if err != nil && errors.Is(s.socket.cause(), ErrNoReply) {
			err = s.socket.cause()
		}
		return err
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
}

// Channel opens a channel of this session.
func (s *Session) Channel(ctx context.Context) (*amqp.Channel, error) {
	opened := make(chan *amqp.Channel, 1)
	err := s.Do(ctx, "open a channel", func() error {
		ch, err := s.conn.Channel()
		if err == nil {
			opened <- ch
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return <-opened, nil
}

// close says goodbye within d, and is never longer than that.
func (s *Session) close(d time.Duration) {
	timer := time.AfterFunc(d, func() { s.Abort(errors.New("connection: no goodbye in time")) })
	defer timer.Stop()
	_ = s.conn.Close() // it is closed afterwards, whatever the broker said
	s.Abort(ErrClosed)
	<-s.done
}
