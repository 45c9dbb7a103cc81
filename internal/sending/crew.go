package sending

import "sync"

// crew is the goroutines of a pipeline.
type crew struct {
	all sync.WaitGroup

	mu       sync.Mutex // guards stopping: nothing is added beside a Wait
	stopping bool
}

// start runs f in a goroutine, unless the crew was stopped.
func (c *crew) start(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.stopping {
		c.all.Go(f)
	}
	return !c.stopping
}

// stop lets nothing start any more. The channel is closed when all goroutines have ended.
func (c *crew) stop() <-chan struct{} {
	c.mu.Lock()
	c.stopping = true
	c.mu.Unlock()
	done := make(chan struct{})
	go func() {
		c.all.Wait()
		close(done)
	}()
	return done
}
