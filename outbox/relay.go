package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/applog"
	"github.com/bunnicula-go/bunnicula/outbox/internal/tx"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Relay publishes the rows of an outbox. Several may run for one database, in one program or in
// many: on PostgreSQL they share the work, on SQLite one of them publishes and the others wait. On
// PostgreSQL a relay uses up to four connections of the Box's pool, of which two have a transaction
// open for as long as it publishes.
//
// A row is published when its transaction has committed and it is due. It is gone, or marked as
// sent, when the broker has confirmed its message. If a process, a connection or the database ends
// between the two, the message is published again, with the same id.
type Relay struct {
	box   *Box                   // immutable
	conn  *connection.Connection // immutable
	cfg   RelayConfig            // immutable, with its defaults
	log   *slog.Logger           // immutable
	press press                  // immutable
	own   *publisher.Client      // immutable; nil if the Config has a Publisher

	watch   *watch
	loop    loop
	janitor janitor
	lookout lookout

	ends    ends           // immutable
	running sync.WaitGroup // the goroutines; Stop waits for them

	mu      sync.Mutex
	started bool // guarded by mu
	stopped bool // guarded by mu
}

// NewRelay makes a Relay that publishes the rows of the Box over the connection. The error has a
// line for each thing that is wrong.
func NewRelay(box *Box, conn *connection.Connection, cfg RelayConfig) (*Relay, error) {
	var errs []error
	if box == nil {
		errs = append(errs, errors.New("outbox: the Box of the relay is nil"))
	}
	if conn == nil {
		errs = append(errs, errors.New("outbox: the connection of the relay is nil"))
	}
	if err := errors.Join(append(errs, cfg.check())...); err != nil {
		return nil, err
	}
	cfg = cfg.defaults()
	r := &Relay{box: box, conn: conn, cfg: cfg, log: applog.First(cfg.Logger), watch: newWatch(), ends: newEnds()}
	if cfg.Publisher == nil {
		own, err := publisher.New(conn, publisher.Config{
			Window: min(3*cfg.Batch, 1<<16), MaxBody: max(box.cfg.MaxBody, defaultMaxBody), Timeout: publisher.NoTimeout,
		}, cfg.Logger)
		if err != nil {
			return nil, err
		}
		r.own, r.cfg.Publisher = own, own
	}
	r.press = press{pub: r.cfg.Publisher, maxAttempts: cfg.MaxAttempts, backoff: cfg.Backoff, open: func() bool { return isOpen(conn) }}
	r.loop = newLoop(r)
	r.janitor, r.lookout.box = janitor{box: box, log: r.log}, box
	return r, nil
}

// Start looks at the tables and at what the user of the database may do with them, connects to the
// broker, and begins to publish. The error says what to do if the tables are missing, or those of a
// later version, and which rights it needs if one of them is missing. On a Lazy connection Start
// does not wait for the broker. A Relay is started once.
func (r *Relay) Start(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.started || r.stopped {
		return errors.New("outbox: the relay was started or stopped before")
	}
	if err := r.box.lookFor(ctx, tx.Of(r.box.db), relaying); err != nil {
		return fmt.Errorf("outbox: relay: %w", err)
	}
	if err := r.connect(ctx); err != nil {
		return fmt.Errorf("outbox: relay: %w", err)
	}
	r.started = true
	unwatch := r.conn.Notify(r.watch.event)
	r.running.Go(func() {
		defer unwatch()
		r.loop.run()
	})
	r.running.Go(func() { r.janitor.run(r.ends.soft) })
	r.running.Go(func() { r.lookout.run(r.ends.soft) })
	return nil
}

// connect opens the connection on which messages are published.
func (r *Relay) connect(ctx context.Context) error {
	link := r.conn.Transport().Publishing()
	if r.conn.Transport().Lazy() {
		link.Begin()
		return nil
	}
	_, err := link.Session(ctx)
	return err
}

// Stop takes no more rows, waits until those in hand are confirmed and written down, and then stops
// the relay's own publisher. If ctx ends first, rows that are not confirmed stay in the outbox, and
// may be published again. It leaves no row locked or taken. It may be called twice, and before
// Start.
func (r *Relay) Stop(ctx context.Context) error {
	r.mu.Lock()
	r.stopped = true
	r.mu.Unlock()
	r.ends.stop()
	defer context.AfterFunc(ctx, r.ends.hurry)()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.running.Wait()
	}()
	<-ended // soon after ctx has ended: settling is bounded
	if r.own != nil {
		return r.own.Stop(ctx)
	}
	return nil
}
