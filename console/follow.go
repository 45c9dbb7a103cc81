package console

import (
	"context"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/console/internal/operation"
	"github.com/bunnicula-go/bunnicula/console/internal/snapshot"
	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// follower tells readings what operations do with their queues: what they read becomes a snapshot,
// and what they move is gone. It is safe for many goroutines.
type follower struct {
	// Immutable.
	store *snapshot.Store
	few   func(queue string) bool // readings of a queue are few

	mu sync.Mutex
	on map[string]*following // by the error queue's name; written by busy
}

// following is a reading whose queue an operation uses.
type following struct {
	reading  *snapshot.Reading  // immutable
	observer *snapshot.Observer // immutable
	moved    bool               // something was; of the operation's goroutine
}

const followFor = 5 * time.Second // to wait for a reading

// busy is told when an operation begins to use a queue, and when it has ended.
func (f *follower) busy(queue string, busy bool) {
	if !busy {
		f.mu.Lock()
		one, ok := f.on[queue]
		delete(f.on, queue)
		f.mu.Unlock()
		if ok {
			one.observer.End()
			f.again(queue, one)
		}
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), followFor)
	defer cancel()
	r, err := f.store.Open(ctx, queue)
	if err != nil {
		return // the operation says what is wrong
	}
	f.mu.Lock()
	f.on[queue] = &following{reading: r, observer: r.Observer()}
	f.mu.Unlock()
}

// autoDepth is how many messages a queue may have so that it is read without being asked.
const autoDepth = 20_000

// again has a short queue read at the end of an operation that has moved something: what has failed
// again is to be seen.
func (f *follower) again(queue string, one *following) {
	if one.moved && !f.few(queue) && one.reading.Progress().Depth <= autoDepth {
		one.reading.Begin()
	}
}

func (f *follower) of(queue string) (*following, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	one, ok := f.on[queue]
	return one, ok
}

// observe returns what gets each message that an operation reads.
func (f *follower) observe(queue string) func(*errorqueue.Message) {
	if one, ok := f.of(queue); ok {
		return one.observer.See
	}
	return nil
}

// observed is told that a reading of an operation has met all messages of its queue.
func (f *follower) observed(queue string) {
	if one, ok := f.of(queue); ok {
		one.observer.Whole()
	}
}

// settled is told of each message that an operation has taken out of its queue.
func (f *follower) settled(queue, mark string) {
	if one, ok := f.of(queue); ok {
		one.moved = true
		one.reading.Settled(mark)
	}
}

// operated opens an error queue for an operation.
func operated(cfg Config) func(context.Context, string) (operation.Queue, error) {
	return func(ctx context.Context, name string) (operation.Queue, error) {
		of, _ := errorQueueOf(cfg.Topology, name)
		of.Wait = readerWait
		q, err := errorqueue.Open(ctx, cfg.Connection, of, cfg.Log)
		if err != nil {
			return nil, err
		}
		return q, nil
	}
}
