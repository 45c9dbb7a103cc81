package turn

import (
	"sync"
	"sync/atomic"
)

// Run is one side in one round, in its own process.
type Run struct {
	Order

	Meter *Meter
	Body  []byte // a message's
	Own   Sample // replaces the meter's, if set
}

// Share calls f for each message, in so many goroutines, and counts the messages that are done.
func (r *Run) Share(callers int, f func() error) error {
	var taken atomic.Int64
	var calling sync.WaitGroup
	errs := make(chan error, callers)
	for range callers {
		calling.Go(func() {
			for taken.Add(1) <= r.Meter.All() {
				if err := f(); err != nil {
					errs <- err
					return
				}
				r.Meter.Tick()
			}
		})
	}
	calling.Wait()
	close(errs)
	return <-errs
}
