package consumer

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// attachment is the TCP connection that a consumer's sessions come from: the one that all consumers share, or a
// dedicated one. A consumer goes to a dedicated connection when its queue is suspected of a message with which
// each delivery ends the connection. There it meets the message again, one at a time, until the queue's delivery limit
// parks it, and the others work on. It goes back when a dedicated session has lasted.
type attachment struct {
	conn   transport.Connection // immutable
	queue  string               // immutable
	log    *slog.Logger
	shared *transport.Shared

	mu  sync.Mutex
	own transport.Link // the dedicated connection, nil if there is none; the supervisor writes it, Health reads it
}

func newAttachment(conn transport.Connection, queue string, log *slog.Logger) *attachment {
	return &attachment{conn: conn, queue: queue, log: log, shared: conn.Shared()}
}

// link is where sessions come from.
func (a *attachment) link() (link transport.Link, dedicated bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.own != nil {
		return a.own, true
	}
	return a.conn.Consuming(), false
}

// enter waits for the consumer's turn to subscribe, and returns when that was.
func (a *attachment) enter(ctx context.Context) (time.Time, error) {
	if _, dedicated := a.link(); dedicated {
		return time.Now(), nil
	}
	return a.shared.Roll.Enter(ctx)
}

// after chooses the connection of the next session, by how the last one has ended. It is true if a message of this queue
// has ended that one.
func (a *attachment) after(session transport.Session, entered time.Time, err error) (blamed bool) {
	if transport.EndedByMessage(err) {
		select { // the channel's end may be known before the connection's
		case <-session.Done():
		case <-time.After(time.Second):
		}
	}
	_, dedicated := a.link()
	switch bad := transport.EndedByMessage(session.Err()); {
	case bad && !dedicated && a.shared.Roll.Lost(session, entered):
		a.log.Warn("a message ends the connection at each delivery; this consumer goes on with a dedicated one", "err", session.Err())
		a.set(a.conn.Dedicated("consume " + a.queue))
	case !bad && dedicated:
		a.close()
	default:
		return bad && dedicated
	}
	return false
}

func (a *attachment) set(own transport.Link) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.own = own
}

// close closes the dedicated connection, if there is one.
func (a *attachment) close() {
	own, dedicated := a.link()
	if !dedicated {
		return
	}
	a.set(nil)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	own.Close(ctx)
}

// leave is the end of the consumer.
func (a *attachment) leave() {
	a.close()
	a.shared.Roll.Leave()
}
