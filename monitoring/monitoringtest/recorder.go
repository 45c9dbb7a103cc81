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

// Recorder is a Monitor that remembers what it was told. Its zero value is ready, and
// it may be used from many goroutines at once. Do not copy it after its first use.
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
	// CtxErr is what the context's Err said when End was called. Consumers promise nil.
	CtxErr error
}

var _ monitoring.Monitor = (*Recorder)(nil)

// begunKey is the Recorder's own key in a context, so that two Recorders can be told apart.
type begunKey struct{ r *Recorder }

// Begin remembers the delivery. Its body and headers are copied, headers within headers are not.
func (r *Recorder) Begin(ctx context.Context, d monitoring.Delivery) context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begins = append(r.begins, keep(d))
	return context.WithValue(ctx, begunKey{r}, true)
}

// End remembers the delivery and its outcome, and wakes those who wait.
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

// Wait returns when at least n deliveries have ended, counted since the start or the
// last Reset. If ctx ends first, the error wraps its cause and says how many there were.
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

// next is nil if n deliveries have ended, else a channel that is closed at the next End.
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

// Begins is the deliveries that began, in that order.
func (r *Recorder) Begins() []monitoring.Delivery {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.begins)
}

// Ends is the deliveries that ended, in that order.
func (r *Recorder) Ends() []End {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ends)
}

// Outcomes is the outcomes of the deliveries that ended, in that order.
func (r *Recorder) Outcomes() []monitoring.Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	outcomes := make([]monitoring.Outcome, len(r.ends))
	for i, e := range r.ends {
		outcomes[i] = e.Outcome
	}
	return outcomes
}

// Reset forgets everything. Those who wait go on waiting, from zero.
func (r *Recorder) Reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begins, r.ends = nil, nil
}

// keep copies what a Monitor may not hold on to.
func keep(d monitoring.Delivery) monitoring.Delivery {
	d.Body = bytes.Clone(d.Body)
	d.Headers = maps.Clone(d.Headers)
	return d
}
