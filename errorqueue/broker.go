package errorqueue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// The types of a connection that this package uses.
type (
	link    = transport.Link
	session = transport.Session
	channel = transport.Channel
)

// illegible is the header in which a connection delivers headers that the client library cannot
// read.
const illegible = transport.HeaderIllegible

// ownLink makes a TCP connection for one error queue. Headers that the client library cannot read
// do not end it.
func ownLink(conn *connection.Connection, queue string) link {
	return conn.Transport().Reading("errors " + queue)
}

var (
	errNotFound   = errors.New("not found")
	errNotAllowed = errors.New("not allowed to look")
	errLocked     = errors.New("locked")
)

// ask makes a request on a channel of its own, because a refusal closes the channel.
func ask(ctx context.Context, s session, what string, f func(channel) error) error {
	ch, err := s.Channel(ctx)
	if err != nil {
		return err
	}
	err = s.Do(ctx, what, func() error { return f(ch) })
	if !ch.IsClosed() {
		_ = s.Do(context.WithoutCancel(ctx), "close a channel", ch.Close)
	}
	var refused *amqp.Error
	if errors.As(err, &refused) {
		switch refused.Code {
		case amqp.NotFound:
			return fmt.Errorf("%w: %w", errNotFound, err)
		case amqp.AccessRefused:
			return fmt.Errorf("%w: %w", errNotAllowed, err)
		case amqp.ResourceLocked:
			return fmt.Errorf("%w: %w", errLocked, err)
		}
	}
	return err
}

// count returns how many messages of a queue are not held by a consumer. It is -1 with an error.
func count(ctx context.Context, s session, queue string) (int, error) {
	n, _, err := look(ctx, s, queue)
	return n, err
}

// look returns also how many consumers the queue has.
func look(ctx context.Context, s session, queue string) (messages, consumers int, err error) {
	q, err := transport.Look(ctx, queue, func(request func(channel) error) error { return ask(ctx, s, "look at a queue", request) })
	if err != nil {
		return -1, -1, err
	}
	return q.Messages, q.Consumers, nil
}

// isOver says whether the end of the session has caused an error. The session may report its end a
// moment later.
func isOver(s session, err error) bool {
	if s.Err() != nil {
		return true
	}
	if !isLoss(err) && !isUnreadable(err) {
		return false
	}
	select {
	case <-s.Done():
		return true
	case <-time.After(time.Second):
		return false
	}
}

// isLoss says whether an error looks like that of a lost connection.
func isLoss(err error) bool {
	var closed *amqp.Error
	var socket net.Error
	switch {
	case errors.Is(err, transport.ErrUnreadable):
		return false
	case errors.As(err, &closed):
		return !closed.Server // the broker's own errors are about a channel
	case errors.As(err, &socket):
		return !errors.Is(err, context.DeadlineExceeded) // DeadlineExceeded is a net.Error too
	}
	return errors.Is(err, transport.ErrNoReply) || errors.Is(err, io.EOF)
}

// isUnreadable says whether a message has ended a session: the broker could not convert it for AMQP
// 0-9-1 (541), or the client library could not read it.
func isUnreadable(ended error) bool {
	var closed *amqp.Error
	if errors.As(ended, &closed) && closed.Server && closed.Code == amqp.InternalError {
		return true
	}
	return errors.Is(ended, transport.ErrUnreadable)
}
