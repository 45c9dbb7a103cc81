package snapshot

import "context"

// Store has the snapshots of all error queues that somebody looks at. It is safe for many
// goroutines.
type Store struct{ cfg Config }

// NewStore makes a Store. It has no goroutine before the first Open.
func NewStore(cfg Config) *Store { return &Store{cfg: cfg.resolve()} }

// Open returns the Reading of a queue, which all viewers share, and counts as a look at it: a queue
// that nobody has looked at for 30 minutes is dropped. The first Open asks the broker for the queue
// and its depth, and begins a pass if the queue is short: see Config.AutoDepth. The errors are those
// of Config.Open. ctx bounds the wait for them; the pass goes on after it.
func (s *Store) Open(ctx context.Context, queue string) (*Reading, error) { return nil, nil }

// Close ends all passes and drops all snapshots. Messages that a pass holds go back to their queue.
func (s *Store) Close(ctx context.Context) {}
