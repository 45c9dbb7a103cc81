package consumer

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/topology"
)

// declarer declares the consumer's queues: for the supervisor before each session, and for the settler when a
// copy finds one missing.
type declarer struct {
	topology topology.Topology // immutable
	keep     bool              // immutable: deleted queues stay deleted
	log      *slog.Logger

	once atomic.Bool // they have been declared; the supervisor writes it
	busy atomic.Bool // again is at work; who sets it clears it
}

// first declares the queues for a session.
func (d *declarer) first(ctx context.Context, link transport.Session) error {
	if d.keep && d.once.Load() {
		return nil
	}
	return d.declare(ctx, link)
}

// declared notes that a subscription has stood: the queues are there.
func (d *declarer) declared() { d.once.Store(true) }

// again declares the queues when a copy found one missing. One at a time is enough.
func (d *declarer) again(ctx context.Context, link transport.Session) {
	if d.keep || !d.busy.CompareAndSwap(false, true) {
		return
	}
	defer d.busy.Store(false)
	if err := d.declare(ctx, link); err != nil {
		d.log.Warn("declare again", "err", err)
	}
}

// declare works on a channel of its own, as a refusal closes it. It waits for each answer, whatever ends
// meanwhile: closing the channel is a request, too.
func (d *declarer) declare(ctx context.Context, link transport.Session) error {
	ch, err := link.Channel(ctx)
	if err != nil {
		return err
	}
	err = link.Do(context.Background(), "declare the queues", func() error { return d.topology.Declare(ch) })
	if errors.Is(err, topology.ErrUnchecked) {
		d.log.Info("queues not checked", "err", err)
		err = nil
	}
	if !ch.IsClosed() {
		_ = link.Do(context.Background(), "close a channel", ch.Close) // if that fails the session is over
	}
	return err
}
