package pipeline

import (
	"context"
	"sync/atomic"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/jobtree"
)

// Report is middleware that reports a message which is acked and which no Stage or Sink has
// reported, as one without outputs. Put it before middleware that acks a message without its
// handler, such as use.Dedupe, or whose Ack replaces another Result, such as use.TreatAsAck: else
// the job of such a message is never complete. It also makes a sink of any Handler, such as one of
// use.Batch.
//
//	spec.Use = []consumer.Middleware{bank.Report, use.Dedupe(store, keep)}
//
// What becomes of a message that cannot be reported is as with Stage.
func (p *Pipeline) Report(next consumer.Handler) consumer.Handler {
	if err := next.Check(); err != nil {
		return consumer.Invalid(err)
	}
	return func(ctx context.Context, d consumer.Delivery) consumer.Result {
		n, err := nodeOf(&d)
		if err != nil {
			return consumer.Error(err)
		}
		reported := new(atomic.Bool)
		result := next(context.WithValue(ctx, reportedKey{}, reported), d)
		if !result.Acked() || reported.Load() {
			return result
		}
		return p.reported(ctx, n, jobtree.Report{Job: n.job, Path: n.path.String(), Stage: n.stage()})
	}
}

// reportedKey is the key of what says that a Stage has reported the message: an *atomic.Bool.
type reportedKey struct{}

// hasReported tells a Report around the Stage, if there is one.
func hasReported(ctx context.Context) {
	if b, ok := ctx.Value(reportedKey{}).(*atomic.Bool); ok {
		b.Store(true)
	}
}
