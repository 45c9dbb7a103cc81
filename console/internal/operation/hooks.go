package operation

import (
	"slices"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// hooks are what package errorqueue calls. One goroutine uses them, that of the operation.
type hooks struct {
	observe  func(*errorqueue.Message)
	observed func()
	settled  func(mark string)
}

// hooks makes the hooks of an operation. One of the Config that panics is called no more, and our
// own notes go on.
func (o *operation) hooks() hooks {
	r, queue := o.runner, o.state.Queue
	var observe func(*errorqueue.Message)
	o.guard("Observe", func() { observe = r.cfg.Observe(queue) })
	observed, settled := r.cfg.Observed, r.cfg.Settled
	return hooks{
		observe: func(m *errorqueue.Message) {
			o.note(m)
			if observe != nil && !o.guard("Observe", func() { observe(m) }) {
				observe = nil
			}
		},
		observed: func() {
			if observed != nil && !o.guard("Observed", func() { observed(queue) }) {
				observed = nil
			}
		},
		settled: func(mark string) {
			if settled != nil && !o.guard("Settled", func() { settled(queue, mark) }) {
				settled = nil
			}
		},
	}
}

// note notes how a message has failed, before or after the redrive.
func (o *operation) note(m *errorqueue.Message) {
	again, is := o.notes.add(m)
	if !is {
		return
	}
	o.change(func(s *State) {
		if n := len(s.Batches); n > 0 {
			b := &s.Batches[n-1]
			b.Again = append(slices.Clip(b.Again), again) // a copy of the State may have the old ones
			b.FailedAgain = max(b.FailedAgain, len(b.Again))
		}
	})
}
