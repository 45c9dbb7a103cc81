package consumer

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// attachment says which TCP connection a consumer's sessions come from: the shared one or a
// dedicated one. A consumer gets a dedicated connection when its queue is suspected of holding a
// message whose every delivery ends the connection, or if a declaration of its queues does. There
// it takes one message at a time until the queue's delivery limit parks that message, while the
// other consumers work on. The consumer goes back to the shared connection when a dedicated session
// has lasted for returnAfter.
type attachment struct {
	// Immutable.
	conn   transport.Connection
	queue  string
	log    *slog.Logger
	shared *transport.Shared

	mu  sync.Mutex     // guards own: the supervisor writes it, Health reads it
	own transport.Link // the dedicated connection; nil if there is none
}

func newAttachment(conn transport.Connection, queue string, log *slog.Logger) *attachment {
	return &attachment{conn: conn, queue: queue, log: log, shared: conn.Shared()}
}

// link returns the TCP connection of the next session.
func (a *attachment) link() (link transport.Link, dedicated bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.own != nil {
		return a.own, true
	}
	return a.conn.Consuming(), false
}

// enter waits for the consumer's turn in the roll call, and returns the time at which it came. On a
// dedicated connection there is no roll call.
func (a *attachment) enter(ctx context.Context) (time.Time, error) {
	if _, dedicated := a.link(); dedicated {
		return time.Now(), nil
	}
	return a.shared.Roll.Enter(ctx)
}

// after chooses the connection of the next session by how the last one ended. It returns true if a
// message of this consumer's queue ended the last one, on a dedicated connection.
func (a *attachment) after(session transport.Session, entered time.Time, err error) (blamed bool) {
	why := session.Err()
	if transport.EndedByMessage(err) {
		why = transport.WhyEnded(context.Background(), session, time.Second)
	}
	_, dedicated := a.link()
	switch bad := transport.EndedByMessage(why); {
	case bad && !dedicated && a.shared.Roll.Lost(session, entered):
		a.log.Warn("a message ends the connection at each delivery; this consumer goes on with a dedicated one", "err", why)
		a.set(a.conn.ConsumingAlone("consume " + a.queue))
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

// leave is called at the end of the consumer.
func (a *attachment) leave() {
	a.close()
	a.shared.Roll.Leave()
}
