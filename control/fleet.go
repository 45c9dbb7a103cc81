package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/applog"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/journal"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// FleetConfig says which stream has the orders. The zero FleetConfig suits most.
type FleetConfig struct {
	// Stream is the name of the stream, and of the direct exchange that orders are published to.
	//
	// Defaults to ControlStream.
	Stream string

	// MaxAge is how long the broker keeps records, if the Fleet declares the stream: whole seconds,
	// 1 s to 10 years. Orders that stand longer are written again.
	//
	// Defaults to 7 days.
	MaxAge time.Duration

	// Logger writes what went wrong beside a command, at the level debug.
	//
	// Defaults to slog.Default.
	Logger *slog.Logger
}

// Fleet gives orders to the consumers of all processes that have [Module] on the same stream. An
// order counts for all of them, those included that start later, until it ends or another one takes
// its place: the last order for a name is the one that counts, as a whole. So a Limit lifts a
// Pause, and a Resume lifts both.
//
// A Fleet keeps nothing: each call reads the stream from its first record on. It is safe for use by
// many goroutines at once. It opens a TCP connection of its own, beside those of its Connection.
type Fleet struct {
	stream  string               // immutable, and so is the rest
	maxAge  time.Duration        //
	journal *journal.Journal     //
	link    transport.Link       // for orders, asks and their answers
	conn    transport.Connection //
	log     *slog.Logger         //
}

// NewFleet makes a Fleet. It does not connect. The error has a line for each field that is wrong.
func NewFleet(conn *connection.Connection, cfg FleetConfig) (*Fleet, error) {
	if conn == nil {
		return nil, errors.New("control: the connection of a Fleet is nil")
	}
	stream, maxAge, err := checkStream("FleetConfig", cfg.Stream, cfg.MaxAge)
	if err != nil {
		return nil, err
	}
	f := &Fleet{stream: stream, maxAge: maxAge, conn: conn.Transport(), log: applog.First(cfg.Logger)}
	if f.journal, err = openJournal(f.conn, stream, maxAge, f.log); err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	f.link = f.conn.Dedicated("control")
	return f, nil
}

// Pause has consumers take no messages, in all processes. Handlers that run go on, and what was
// taken ahead goes back to the queue, as with Consumer.Pause. It asks first who has such
// consumers, as [Fleet.Processes] does, and returns when all of them have answered that they obey,
// or after Command.Wait. A process whose answer to the question comes later is waited for, too.
//
// It declares the stream and its exchange unless they exist. The error is an *UnknownError if no
// process has such a consumer, unless Command.Anyway says that it does not matter. After an error
// of ctx the order may stand, or not.
func (f *Fleet) Pause(ctx context.Context, c Command) (Receipt, error) {
	return f.command(ctx, kindPause, 0, c)
}

// Limit lets consumers run at most n handlers at once in each process. The error is a *LimitError
// if n is above the Concurrency of one of them; nothing has changed then. Otherwise it is as Pause.
func (f *Fleet) Limit(ctx context.Context, n int, c Command) (Receipt, error) {
	if n < 1 {
		return Receipt{}, fmt.Errorf("control: the limit is %d, want 1 or more; Pause is for none", n)
	}
	return f.command(ctx, kindLimit, n, c)
}

// Resume lifts the orders that stand for consumers, limits too. What the app itself has paused
// stays so. Otherwise it is as Pause. Names that have standing orders are known, also if no process
// has such a consumer.
func (f *Fleet) Resume(ctx context.Context, c Command) (Receipt, error) {
	return f.command(ctx, kindResume, 0, c)
}

// command gives an order.
func (f *Fleet) command(ctx context.Context, k kind, limit int, c Command) (Receipt, error) {
	began := time.Now()
	c, err := c.resolve(k)
	if err != nil {
		return Receipt{}, err
	}
	if err := f.journal.Declare(ctx); err != nil {
		return Receipt{}, fmt.Errorf("control: %w", err)
	}
	d, err := f.open(ctx)
	if err != nil {
		return Receipt{}, err
	}
	defer d.close(ctx)
	q, err := d.ask(ctx, c.Wait, record{Kind: kindAsk})
	if err != nil {
		return Receipt{}, err
	}
	all := q.asked.all()
	b, err := f.fold(ctx) // after the ask: it is as new as can be
	if err != nil {
		return Receipt{}, err
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	targets, err := c.targets(all, b.standing(now))
	if err != nil {
		return Receipt{}, err
	}
	if k == kindLimit {
		if err := checkLimit(limit, targets, all); err != nil {
			return Receipt{}, err
		}
	}
	order := record{Kind: k, Consumers: targets, Limit: limit, At: now, Until: c.until(now), Seq: b.next(), By: c.By, Why: c.Why}
	id, err := d.order(ctx, c.Wait, order, q)
	if err != nil {
		return Receipt{}, err
	}
	order.ID, order.Version = id, ControlVersion
	b.add(&order, now)
	f.rewrite(ctx, b)
	stand := slices.DeleteFunc(b.orders(now), func(o Order) bool { return !slices.Contains(targets, o.Consumer) })
	return Receipt{Orders: stand, Obeyed: q.ordered.all(), Silent: q.silent(), Took: time.Since(began)}, nil
}

// fold reads what stands. What is stale in the stream it marks as to be written again.
func (f *Fleet) fold(ctx context.Context) (*book, error) {
	b := newBook()
	_, err := f.journal.Fold(ctx, func(rec journal.Record) error {
		if rec.Exchange != f.stream {
			return nil
		}
		if r, err := parseRecord(rec.Body); err == nil {
			_, stale := b.add(&r, earlier(rec.At, time.Now()))
			b.owe(time.Now(), stale...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	return b, nil
}

// rewrite writes orders again that the stream would drop soon, if this user may.
func (f *Fleet) rewrite(ctx context.Context, b *book) {
	again, _ := b.due(time.Now(), func(string) time.Duration { return f.maxAge / 2 })
	if len(again) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := f.journal.Append(ctx, drafts(again)...); err != nil {
		f.log.Debug("standing orders were not written again", "err", foreign.Line(foreign.Text(err, maxLogged), maxLogged))
	}
}

// Orders returns what stands, sorted by the consumers' names. Orders whose records the stream drops
// soon are written again, if this user may write to the exchange. It declares nothing.
func (f *Fleet) Orders(ctx context.Context) ([]Order, error) {
	b, err := f.fold(ctx)
	if err != nil {
		return nil, err
	}
	f.rewrite(ctx, b)
	return b.orders(time.Now()), nil
}

// Processes asks all processes what they are, and what runs in them, and returns those that have
// answered. names chooses consumers, by their names or the queues of their partitions; all if there
// are none. Answers are awaited for wait at most, 3 s if it is 0. It ends earlier when none has
// come for 300 ms, or for three times what the slowest took if that is longer. A broker does not
// tell how many read a stream, so a process that does not answer is not known. It declares nothing.
func (f *Fleet) Processes(ctx context.Context, wait time.Duration, names ...string) ([]Process, error) {
	if wait == 0 {
		wait = defaultWait
	}
	d, err := f.open(ctx)
	if err != nil {
		return nil, err
	}
	defer d.close(ctx)
	q, err := d.ask(ctx, wait, record{Kind: kindAsk, Consumers: names, Running: true})
	if err != nil {
		return nil, err
	}
	all := q.asked.all()
	if len(names) > 0 { // a process without such a consumer answers too
		all = slices.DeleteFunc(all, func(p Process) bool { return len(p.Consumers) == 0 })
	}
	return all, nil
}

// Stop ends what the Fleet has opened. It may be called twice.
func (f *Fleet) Stop(ctx context.Context) error {
	f.link.Close(ctx)
	return f.journal.Stop(ctx)
}

func newID() string { return uuid.NewString() }
