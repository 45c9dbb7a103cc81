package consumer

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/compare"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/topology"
)

// declarer declares the consumer's queues. The supervisor asks for that before each session, and
// the settler when a copy finds a queue missing or a message is to be rejected.
type declarer struct {
	topology topology.Topology // immutable
	keep     bool              // immutable: deleted queues stay deleted (RedeclareOff)
	family   *family           // immutable: the partitions that the queue is one of, or nil
	log      *slog.Logger      // immutable

	once atomic.Bool // the queues were declared and a subscription stood; the supervisor sets it
	busy atomic.Bool // a copy's goroutine declares; that goroutine sets and clears it

	turn chan struct{} // a Go channel with one place: who is in it is in sure
	last time.Time     // when sure has declared last; who is in turn reads and writes it
}

// first declares the queues before a session. If deleted queues are to stay deleted, only the first
// session does.
func (d *declarer) first(ctx context.Context, link transport.Session) error {
	if d.keep && d.once.Load() {
		return nil
	}
	if d.family != nil && !d.once.Load() {
		if err := d.family.ready(ctx, link, d.topology, d.log); err != nil {
			return err
		}
	}
	if err := d.declare(ctx, link); err != nil || d.once.Load() {
		return err
	}
	return d.noStreams(ctx, link)
}

// noStreams refuses a stream in the place of a queue beside the main queue that others declare: what
// is put into a stream never comes out of it again. The main queue needs no question, because the
// broker refuses our subscription to a stream. A user who may not read the queue cannot tell, and
// goes on.
func (d *declarer) noStreams(ctx context.Context, link transport.Session) error {
	for _, q := range d.topology.Queues {
		if !q.Existing || q.Role == topology.RoleMain {
			continue
		}
		err := onChannel(ctx, link, "ask for the type of a queue", func(ch transport.Channel) error { return compare.Consume(ch, q.Name) })
		if errors.Is(err, topology.ErrStream) {
			return err
		}
	}
	return nil
}

// declared is called when a subscription stands, which shows that the queues are there.
func (d *declarer) declared() { d.once.Store(true) }

// again declares the queues after a copy found one missing. While one goroutine declares, others do
// not.
func (d *declarer) again(ctx context.Context, link transport.Session) {
	if d.keep || !d.busy.CompareAndSwap(false, true) {
		return
	}
	defer d.busy.Store(false)
	if err := d.declare(ctx, link); err != nil {
		d.log.Warn("declare again", "err", err)
	}
}

// sureFor is how long it is believed that the queues that were declared are there.
const sureFor = 10 * time.Second

// sure declares the queues again, unless it did so a moment ago. The broker is about to dead-letter
// a message. It keeps one whose queue is missing out of sight, and nobody is told. Others wait
// meanwhile.
func (d *declarer) sure(ctx context.Context, link transport.Session) {
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return
	}
	if time.Since(d.last) >= sureFor {
		d.again(ctx, link)
		d.last = time.Now()
	}
}

func (d *declarer) declare(ctx context.Context, link transport.Session) error {
	err := onChannel(ctx, link, "declare the queues", func(ch transport.Channel) error { return d.topology.Declare(ch) })
	if errors.Is(err, topology.ErrUnchecked) {
		d.log.Info("queues not checked", "err", err)
		err = nil
	}
	return err
}

// onChannel runs f with a channel of its own, because a refusal closes the channel. It waits for the
// answer to each request even if ctx ends meanwhile, because two requests at once may swap their
// replies (see transport), and the close of the channel is one.
func onChannel(ctx context.Context, link transport.Session, what string, f func(transport.Channel) error) error {
	ch, err := link.Channel(ctx)
	if err != nil {
		return err
	}
	err = link.Do(context.Background(), what, func() error { return f(ch) })
	closeChannel(link, ch)
	return err
}

func closeChannel(link transport.Session, ch transport.Channel) {
	if !ch.IsClosed() {
		_ = link.Do(context.Background(), "close a channel", ch.Close) // an error: it is over
	}
}
