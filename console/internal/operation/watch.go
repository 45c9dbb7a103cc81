package operation

import "sync"

// Watch returns a channel that tells that the State of an operation has changed, of any if id is
// "". It tells at most ten times a second, but for beginnings and ends. The channel has one place
// and is never closed.
func (r *Runner) Watch(id string) (changes <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	r.mu.Lock()
	r.watching[c] = id
	r.mu.Unlock()
	return c, sync.OnceFunc(func() {
		r.mu.Lock()
		delete(r.watching, c)
		r.mu.Unlock()
	})
}

// tell tells those that watch. The caller holds mu.
func (r *Runner) tell(id string) {
	for c, of := range r.watching {
		if of == "" || of == id {
			select {
			case c <- struct{}{}:
			default:
			}
		}
	}
}
