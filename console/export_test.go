package console

import (
	"context"
	"iter"
	"sync/atomic"
	"testing"

	"github.com/bunnicula-go/bunnicula/console/internal/snapshot"
	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// The limits of answers that stay open.
const (
	StreamsEach = streamsEach
	StreamsMost = streamsMost
	LookEvery   = lookEvery
)

// counted is an error queue that counts how often it is read.
type counted struct {
	parked
	reads *atomic.Int64
}

func (q counted) List(ctx context.Context, o errorqueue.ListOptions) iter.Seq2[errorqueue.Message, error] {
	q.reads.Add(1)
	o.Progress(errorqueue.Progress{Phase: errorqueue.PhaseReading, Of: len(q.parked)})
	return q.parked.List(ctx, o)
}

// Park replaces all error queues of a Console by one with a message, and returns how often it was
// read.
func Park(t *testing.T, c *Console) (reads func() int) {
	t.Helper()
	var n atomic.Int64
	c.store = snapshot.NewStore(snapshot.Config{Open: func(context.Context, string) (snapshot.Queue, error) {
		return counted{parked{oneOf("id-1", "boom")}, &n}, nil
	}})
	t.Cleanup(func() { c.store.Close(context.Background()) })
	return func() int { return int(n.Load()) }
}

// Look returns what names the latest look at the broker, nil before the first.
func Look(c *Console) any {
	if l := c.broker.known(); l != nil {
		return l
	}
	return nil
}

// Streams returns how many answers stay open, and for how many viewers.
func Streams(c *Console) (all, viewers int) {
	c.streams.mu.Lock()
	defer c.streams.mu.Unlock()
	return c.streams.all, len(c.streams.of)
}
