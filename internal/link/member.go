package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// member is one TCP connection of a session. A session has one, and more when all channels of the
// others are in use: a broker may allow few channels on a connection (channel_max, 2047 by default).
// They live and die together, so that for everybody else a session is one connection.
type member struct {
	conn    *amqp.Connection // immutable; nil in tests without a broker
	socket  *socket          // immutable
	frame   int              // immutable: the largest frame that may be sent, in bytes
	user    string           // immutable: the name of its login
	expires time.Time        // immutable: when the secret expires with which it was opened; zero is never
	blocked string           // the broker's reason, "" while it takes messages; guarded by session.mu
}

// again is how long a session waits before it tries once more to open another TCP connection.
const again = time.Second

// member returns the n-th TCP connection of the session, nil if there are not so many.
func (s *session) member(n int) *member {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n < len(s.members) {
		return s.members[n]
	}
	return nil
}

// all returns the TCP connections of the session.
func (s *session) all() []*member {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*member(nil), s.members...)
}

// extend opens another TCP connection, unless there are more than have by now. The error says why
// there is none.
func (s *session) extend(ctx context.Context, have int) error {
	select {
	case s.extending <- struct{}{}:
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	ended := make(chan error, 1)
	go func() { // it goes on if ctx ends, since the next channel needs the connection too
		defer func() { <-s.extending }()
		ended <- s.extended(have)
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// extended does the work of extend. One goroutine at a time runs it, and it alone uses failed and
// failedAt.
func (s *session) extended(have int) error {
	if s.member(have) != nil {
		return nil
	}
	if s.failed != nil && time.Since(s.failedAt) < again {
		return s.failed
	}
	m, err := s.another(have + 1)
	if err != nil {
		first := s.member(0)
		s.failed = fmt.Errorf("all channels of the connection are in use (channel_max = %d), and another connection to %s cannot be opened: %w",
			first.conn.Config.ChannelMax, s.target.Addr, err)
		s.failedAt = time.Now()
		return s.failed
	}
	s.failed = nil
	s.mu.Lock()
	s.members = append(s.members, m)
	over := s.over
	s.mu.Unlock()
	s.renewal.joined(m.expires)
	go s.watch(m)
	if over { // the session ended meanwhile, and does not know this connection
		m.socket.abort(net.ErrClosed)
	}
	return nil
}

// hasNoRoom says whether a channel could not be opened because all are in use.
func hasNoRoom(err error) bool { return errors.Is(err, amqp.ErrChannelMax) }
