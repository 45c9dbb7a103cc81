package consumer

import (
	"context"
	"sync"
)

// startingAtOnce is how many consumers of one connection start side by side. Hundreds at once would
// burden the broker. They would also leave this process with memory that it cannot give back,
// because the stacks that they no longer use lie between stacks in use.
const startingAtOnce = 16

// turns bounds how many consumers of a Group start side by side. Each connection has turns of its
// own, so that consumers that wait for one broker do not keep those of another from starting.
type turns struct {
	mu sync.Mutex               // guards by
	by map[string]chan struct{} // by Spec.Connection; who starts has a place in the Go channel
}

func (t *turns) of(c *Consumer) chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.by == nil {
		t.by = map[string]chan struct{}{}
	}
	if t.by[c.spec.Connection] == nil {
		t.by[c.spec.Connection] = make(chan struct{}, startingAtOnce)
	}
	return t.by[c.spec.Connection]
}

// start starts a consumer when it is its turn. If ctx ends before that, or the consumer is stopped,
// its Start says so.
func (t *turns) start(ctx context.Context, c *Consumer) error {
	all := t.of(c)
	select {
	case all <- struct{}{}:
		defer func() { <-all }()
	case <-ctx.Done():
	case <-c.stages.connecting.Done():
	}
	return c.Start(ctx)
}
