package console

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

const (
	lookEvery   = 5 * time.Second
	lookFor     = 10 * time.Second
	examineFor  = 60 * time.Second
	lengthsKept = 60
)

// look is what all queues were at one moment. It is immutable.
type look struct {
	at        time.Time
	peer      transport.Peer
	consumers []inspect.Status
	queues    map[string]management.Queue // nil without the management API
	apiErr    error                       // why the API did not answer
	lengths   map[string][]int            // of main queues, as the latest looks have found them
	err       error                       // the broker's
}

// broker looks at the broker for all viewers, when one of them asks.
type broker struct {
	// Immutable.
	conn *connection.Connection
	api  *management.Client // nil without one
	file topologyfile.File

	turn    chan struct{}    // holds a token while nobody asks the broker
	inspect *inspect.Broker  // of who has the token
	lengths map[string][]int // of who has the token
	seen    seen             // of all looks

	mu       sync.Mutex
	latest   *look        // nil before the first
	examined *examination // nil before the first
}

func newBroker(conn *connection.Connection, api *management.Client, file topologyfile.File) *broker {
	b := &broker{conn: conn, api: api, file: file, turn: make(chan struct{}, 1), lengths: map[string][]int{}}
	b.inspect = inspect.New(conn.Transport().Consuming())
	b.turn <- struct{}{}
	return b
}

// take waits for the token.
func (b *broker) take(ctx context.Context) error {
	select {
	case <-b.turn:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (b *broker) give() { b.turn <- struct{}{} }

// known returns the latest look, nil before the first.
func (b *broker) known() *look {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.latest
}

// look returns a look that is 5 s old at most. An error of the broker is in it.
func (b *broker) look(ctx context.Context) *look {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	if err := b.take(ctx); err != nil {
		return &look{at: time.Now(), err: err}
	}
	defer b.give()
	if l := b.known(); l != nil && time.Since(l.at) < lookEvery {
		return l
	}
	l := b.ask(ctx)
	if ctx.Err() != nil && l.err != nil { // that of a viewer who has gone away is nobody else's
		return l
	}
	b.mu.Lock()
	b.latest = l
	b.mu.Unlock()
	return l
}

// ask looks at the broker. Who calls it has the token.
func (b *broker) ask(ctx context.Context) *look {
	l := &look{}
	defer func() {
		l.at = time.Now()
		if l.err == nil {
			b.seen.add(l)
		}
	}()
	if l.peer, l.err = b.inspect.Peer(ctx); l.err != nil {
		return l
	}
	if b.api != nil {
		l.queues, l.apiErr = b.api.Queues(ctx, l.peer.VHost)
	}
	var consumers []inspect.Consumer
	for _, t := range b.file.Topologies() {
		consumers = append(consumers, inspect.FromTopology(t))
	}
	consumers = inspect.Complete(consumers, slices.Sorted(maps.Keys(l.queues)))
	if l.consumers, l.err = b.inspect.Look(ctx, consumers, l.queues); l.err != nil {
		return l
	}
	l.lengths = b.remember(l.consumers)
	return l
}

// remember adds the lengths of main queues to those of earlier looks.
func (b *broker) remember(all []inspect.Status) map[string][]int {
	next := make(map[string][]int, len(all))
	for _, s := range all {
		if len(s.Queues) > 0 && s.Queues[0].Ready != nil {
			n := append(slices.Clone(b.lengths[s.Consumer]), *s.Queues[0].Ready)
			next[s.Consumer] = n[max(0, len(n)-lengthsKept):]
		}
	}
	b.lengths = next
	return next
}
