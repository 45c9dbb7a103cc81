package monitoringtest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Recorder is a Monitor that records its calls. Its zero value is ready, and many goroutines may
// use it at once. Do not copy it after its first use.
type Recorder struct {
	mu     sync.Mutex
	begins []monitoring.Delivery
	ends   []End
	more   chan struct{} // closed at the next End; nil when nobody waits
}

// End is one call of [Recorder.End].
type End struct {
	Delivery monitoring.Delivery
	Outcome  monitoring.Outcome

	// Begun says whether the context came from a Begin of the same Recorder.
	Begun bool
	// CtxErr is the error of End's context when End was called. Consumers guarantee nil.
	CtxErr error
}

var _ monitoring.Monitor = (*Recorder)(nil)

// begunKey is the key in a context. Each Recorder has its own.
type begunKey struct{ r *Recorder }

// Begin records the delivery. It copies the body and the headers, but not tables within headers.
func (r *Recorder) Begin(ctx context.Context, d monitoring.Delivery) context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begins = append(r.begins, keep(d))
	return context.WithValue(ctx, begunKey{r}, true)
}

// End records the delivery and its outcome, and wakes the callers of Wait.
func (r *Recorder) End(ctx context.Context, d monitoring.Delivery, o monitoring.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	begun, _ := ctx.Value(begunKey{r}).(bool)
	r.ends = append(r.ends, End{Delivery: keep(d), Outcome: o, Begun: begun, CtxErr: ctx.Err()})
	if r.more != nil {
		close(r.more)
		r.more = nil
	}
}

// Wait returns when at least n deliveries have ended since the start or the last Reset. If ctx ends
// first, the error wraps its cause and says how many have ended.
func (r *Recorder) Wait(ctx context.Context, n int) error {
	for {
		more, have := r.next(n)
		if more == nil {
			return nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return fmt.Errorf("monitoringtest: %d of %d deliveries ended: %w", have, n, context.Cause(ctx))
		}
	}
}

// next returns nil if n deliveries have ended, and else a channel that the next End closes.
func (r *Recorder) next(n int) (more <-chan struct{}, have int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ends) >= n {
		return nil, len(r.ends)
	}
	if r.more == nil {
		r.more = make(chan struct{})
	}
	return r.more, len(r.ends)
}

// Begins returns the deliveries of all calls of Begin, in their order.
func (r *Recorder) Begins() []monitoring.Delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.begins)
}

// Ends returns all calls of End, in their order.
func (r *Recorder) Ends() []End {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ends)
}

// Outcomes returns the outcomes of all calls of End, in their order.
func (r *Recorder) Outcomes() []monitoring.Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	outcomes := make([]monitoring.Outcome, len(r.ends))
	for i, e := range r.ends {
		outcomes[i] = e.Outcome
	}
	return outcomes
}

// Reset forgets everything. A Wait that is under way counts from zero again.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begins, r.ends = nil, nil
}

// keep copies the parts of a delivery that a Monitor may not keep.
func keep(d monitoring.Delivery) monitoring.Delivery {
	d.Body = bytes.Clone(d.Body)
	d.Headers = maps.Clone(d.Headers)
	return d
}
