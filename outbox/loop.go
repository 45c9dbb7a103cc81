package outbox

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/backoff"
)

// store takes rows from a database.
type store interface {
	// take begins to take rows. The haul has none if none is ready; its settler is to be called all
	// the same. Once it has returned, the end of ctx changes nothing.
	take(ctx context.Context, ask ask) (*haul, error)
	// stop gives back what the store keeps between two hauls.
	stop(ctx context.Context) error
}

func (b *Box) store(batch int) store {
	if b.dialect == SQLite {
		return &sqlite{db: b.db, batch: batch, holder: uuid.NewString()}
	}
	return &postgres{db: b.db, batch: batch}
}

// loop takes rows, and has them published and settled. On PostgreSQL it takes the next while the
// ones before are published.
type loop struct {
	relay *Relay // immutable
	store store  // immutable
	hands int    // immutable: how many hauls are published at once

	ended chan error // has room for one of each hand: what a haul ended with

	// Only its goroutine uses these.
	scan    scan
	keys    int // that the last haul had rows of; at first as many as it may be
	busy    int // hands
	trouble error
	again   backoff.Backoff
}

func newLoop(r *Relay) loop {
	l := loop{relay: r, store: r.box.store(r.cfg.Batch), hands: 1, keys: r.cfg.Batch, again: backoff.Backoff{Min: 100 * time.Millisecond, Max: 5 * time.Second}}
	if r.box.dialect == Postgres {
		l.hands = 2
	}
	l.ended = make(chan error, l.hands)
	return l
}

func (l *loop) run() {
	r := l.relay
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		wait := time.Duration(0)
		select {
		case <-r.ends.soft.Done():
			l.end()
			return
		case <-r.box.wake:
		case <-r.watch.signal:
		case <-timer.C:
		case err := <-l.ended:
			l.busy--
			wait = l.judge(err)
		}
		if wait == 0 {
			wait = l.turn()
		}
		timer.Reset(wait)
	}
}

// end waits for what is published, and gives back what the store has. Both are bounded.
func (l *loop) end() {
	for ; l.busy > 0; l.busy-- {
		if err := <-l.ended; err != nil {
			l.relay.log.Warn("the outbox's relay has stopped with rows in hand, they may be published again", "err", err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), maxSettle)
	defer cancel()
	if err := l.store.stop(ctx); err != nil {
		l.relay.log.Warn("the outbox's lease is not given back, another relay waits until it ends", "err", err)
	}
}

// turn is one look at the table. It returns how long to wait before the next, unless something
// happens.
func (l *loop) turn() time.Duration {
	r := l.relay
	if l.busy == l.hands || !isOpen(r.conn) {
		return r.cfg.Poll
	}
	lost := r.watch.session()
	// A stop does not end the look: a driver closes a connection whose statement is cancelled.
	ctx, cancel := context.WithTimeout(r.ends.last, maxTake)
	h, err := l.store.take(ctx, ask{l.scan, followers(r.cfg.Batch, l.keys)})
	cancel()
	switch {
	case err != nil && r.ends.last.Err() != nil:
		return r.cfg.Poll // it is over
	case err != nil:
		return l.judge(err)
	}
	var now bool
	l.scan, now = l.scan.next(h.seen, r.cfg.Batch)
	if h.seen.rows == 0 || !isOpen(r.conn) { // it was lost meanwhile
		h.settler.drop()
		l.judge(nil)
	} else {
		l.keys = len(h.byKey)
		l.busy++
		go func() { l.ended <- l.move(lost, h) }()
		// Where less was found than could be taken, the rest waits for what is in hand.
		now = now && len(h.chains) >= r.cfg.Batch
	}
	if now {
		return 0
	}
	return r.cfg.Poll
}

// isOpen says whether the broker takes messages.
func isOpen(c *connection.Connection) bool {
	h := c.Health().Publishing
	return h.Connected && h.Blocked == ""
}

// move publishes the rows of a haul and settles them. It runs in a goroutine of its own, and the
// loop waits for it. lost ends with the connection.
func (l *loop) move(lost context.Context, h *haul) error {
	r := l.relay
	ctx, cancel := h.publishing(r.ends.hard)
	defer cancel()
	defer context.AfterFunc(lost, cancel)()
	unclear := r.press.publish(ctx, r.ends.soft.Done(), h.chains)
	results := h.results()
	if err := h.settler.settle(r.ends.hard, results); err != nil {
		return err
	}
	r.box.counts.add(results)
	l.tell(results)
	return unclear
}

// tell logs what was refused: a line for all, and one for each row that was given up.
func (l *loop) tell(r results) {
	for o, rows := range r.others {
		if o.fate == refused {
			l.relay.log.Warn("the broker refused messages of the outbox, they are tried again", "messages", len(rows), "first", rows[0].id,
				"attempt", rows[0].attempts+1, "in", o.wait, "err", o.text)
			continue
		}
		for _, row := range rows {
			l.relay.log.Error("a message of the outbox was given up", "message_id", row.id, "routing_key", row.routingKey, "exchange", row.exchange,
				"attempts", row.attempts+1, "err", o.text, "do", "correct what is wrong, then retry or discard it (bunnicula outbox retry, bunnicula outbox discard)")
		}
	}
}

// judge says how long to wait after a look or a haul, and logs the first error of several.
func (l *loop) judge(err error) time.Duration {
	switch {
	case err == nil && l.trouble != nil:
		l.relay.log.Info("the outbox's relay gets on again")
	case err != nil && l.trouble == nil:
		l.relay.log.Warn("the outbox's relay does not get on, it tries again", "err", err)
	}
	l.trouble = err
	if err == nil {
		l.again.Reset()
		return 0
	}
	l.relay.box.counts.failed.Add(1)
	return l.again.Next()
}

// watch tells the loop of its connection.
type watch struct {
	signal chan struct{} // immutable; has a value when the connection has changed

	mu   sync.Mutex
	lost context.Context // guarded by mu: ends when the connection is lost
	lose context.CancelFunc
}

func newWatch() *watch {
	w := &watch{signal: make(chan struct{}, 1)}
	w.lost, w.lose = context.WithCancel(context.Background())
	return w
}

// event is called for each Event of the connection. When it is lost nobody waits for its confirms:
// the rows would stay locked until it is back. When it is blocked the confirms may come yet.
func (w *watch) event(e connection.Event) {
	if e.Purpose != "publish" {
		return
	}
	if e.Kind == connection.Lost {
		w.mu.Lock()
		w.lose()
		w.lost, w.lose = context.WithCancel(context.Background())
		w.mu.Unlock()
	}
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

// session ends when the connection is lost.
func (w *watch) session() context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lost
}
