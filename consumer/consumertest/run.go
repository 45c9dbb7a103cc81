package consumertest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Run is one delivery and what became of it.
type Run struct {
	// Delivery is what the broker delivered.
	Delivery amqp.Delivery

	// Settlement is what would be done about it. Its Copy is what would be published.
	Settlement consumer.Settlement

	t        testing.TB
	queue    string
	topology topology.Topology
	ctx      context.Context
	record   recorded
}

// recorded is what the handler was given and said. A handler that is stuck says it later.
type recorded struct {
	mu     sync.Mutex
	called bool
	seen   consumer.Delivery
	result consumer.Result
}

type recordKey struct{}

// record is the outermost middleware.
func record(next consumer.Handler) consumer.Handler {
	if next == nil {
		return nil // of a middleware that made none: New says which
	}
	return func(ctx context.Context, d consumer.Delivery) consumer.Result {
		r, _ := ctx.Value(recordKey{}).(*recorded)
		if r == nil {
			return next(ctx, d)
		}
		r.mu.Lock()
		r.called, r.seen = true, d
		r.mu.Unlock()
		result := next(ctx, d)
		r.mu.Lock()
		r.result = result
		r.mu.Unlock()
		return result
	}
}

// Result is what the handler said, with its middleware. It is the zero Result if the handler
// panicked, was not run, or still runs.
func (r *Run) Result() consumer.Result {
	r.record.mu.Lock()
	defer r.record.mu.Unlock()
	return r.record.result
}

// Ran says whether the handler was run. It is not for a body that cannot be decoded, nor for
// a message that came too early or crashed too often.
func (r *Run) Ran() bool {
	r.record.mu.Lock()
	defer r.record.mu.Unlock()
	return r.record.called && r.Settlement.Reason != monitoring.ReasonUndecodable
}

// Seen is the delivery as the handler saw it: its attempt, its user's headers, and the
// exchange and routing key that it was first published with.
func (r *Run) Seen() consumer.Delivery {
	r.record.mu.Lock()
	defer r.record.mu.Unlock()
	return r.record.seen
}

// Headers are those of the copy that would be published, the framework's included; nil if
// there is no copy.
func (r *Run) Headers() map[string]any {
	if r.Settlement.Copy == nil {
		return nil
	}
	return r.Settlement.Copy.Headers
}

// String describes the delivery and its settlement, on several lines.
func (r *Run) String() string {
	s := r.Settlement
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "\n\t%-11s%s", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(&b, "queue %q, message %q", r.queue, r.Delivery.MessageId)
	line("body", "%s", foreign.Cut(string(r.Delivery.Body), 200))
	if r.Ran() {
		line("attempt", "%d of %d", r.Seen().Attempt, r.Seen().MaxRetries+1)
		line("result", "%v", r.Result())
	} else {
		line("handler", "not run")
	}
	line("settlement", "%s", settled(s))
	if s.Err != nil {
		line("error", "%s (%T)", foreign.Text(s.Err, 2000), foreign.Original(s.Err))
	}
	if s.Copy != nil {
		line("copy to", "%s", s.Copy.Queue)
		for _, name := range slices.Sorted(maps.Keys(s.Copy.Headers)) {
			if name != wire.Stack && name != wire.History {
				line("", "%s: %s", name, foreign.Cut(fmt.Sprint(s.Copy.Headers[name]), 200))
			}
		}
	}
	if s.Stack != "" {
		line("stack", "%s", strings.ReplaceAll(strings.TrimSpace(s.Stack), "\n", "\n\t"+strings.Repeat(" ", 11)))
	}
	return b.String()
}

// settled is a settlement in a few words: "retried for retry after 10s".
func settled(s consumer.Settlement) string {
	text := s.Action.String()
	if s.Action == 0 {
		text = "nothing told to the monitor"
	}
	if s.Reason != monitoring.ReasonNone {
		text += fmt.Sprintf(" for %s", s.Reason)
	}
	if s.Delay > 0 {
		text += fmt.Sprintf(" after %s", s.Delay)
	}
	switch s.Deed {
	case consumer.DeedLeave:
		text += " and left to the broker"
	case consumer.DeedReject:
		text += " and rejected"
	case consumer.DeedCopy:
		if s.Action == 0 {
			text = fmt.Sprintf("not handled now, its copy goes to %s", s.Copy.Queue)
		}
	}
	return text
}
