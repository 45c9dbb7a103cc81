package pipeline

import (
	"context"
	"fmt"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/jobtree"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Emit publishes an output of the message that a stage handles, to the queue that the stage was
// made with. It waits while Config.Window outputs of this run are not confirmed, and for room in
// the Publisher's window; not for the confirm of this one. The handler's context bounds it.
//
// Once an output has failed, because the broker refuses it, no queue takes it or it cannot be
// encoded, each later emit of the run returns that error and publishes nothing. Then the run cannot
// end in Ack: see Stage.
//
// The payload is encoded by the Publisher's codec. Options are those of package publisher, and Key.
// An output goes to one queue, has an id of its own and is always mandatory: Exchange, MessageID
// and NotMandatory are ErrOption. The headers job and job-path are the pipeline's, also if they are
// forwarded with publisher.Headers.
//
// Several goroutines may emit, and must have returned from it when the handler returns; give their
// outputs a Key, because nobody knows their order.
type Emit[T any] func(v T, opts ...publisher.Option) error

// Again has the stage handle another message when this one is acked: next is published to the
// stage's own queue. So a handler can stop in the middle, after some thousand outputs, and need
// neither a Timeout for all of them nor hold the broker's message for so long. It is published
// after the handler has returned Ack and all outputs are confirmed, and never otherwise. So the
// error is only that of a second call in the run, or of more than Config.MaxAgain continuations in
// a row.
//
// Let the work decide where to stop, such as after 10,000 rows, and not a clock: two runs of one
// message must stop at the same place, or else outputs of one id are of two rows.
func (e Emit[T]) Again(next any) error {
	var none T
	return e(none, continuation(next))
}

// emitter makes the Emit of a run.
func emitter[T any](r *run) Emit[T] {
	return func(v T, opts ...publisher.Option) error { return r.emit(v, opts) }
}

// run is one run of a handler, or a start: it publishes, and knows what was published.
type run struct {
	ctx context.Context     // immutable; the handler's
	pub publisher.Publisher // immutable
	of  node                // immutable
	to  string              // immutable; the queue of outputs; "" for a sink

	// turn holds a value while somebody emits: a lock that ctx ends to wait for.
	turn chan struct{}

	// Whoever has the turn uses these.
	over     bool  // the handler has returned
	failed   error // of the first output that failed
	children children
	flight   flight
	next     any // of Again, if children.again
}

func (p *Pipeline) newRun(ctx context.Context, n node, to string) *run {
	r := &run{ctx: ctx, pub: p.pub, of: n, to: to, turn: make(chan struct{}, 1), flight: flight{window: p.cfg.Window}}
	r.children = children{of: &r.of, maxDepth: p.cfg.MaxDepth, maxAgain: p.cfg.MaxAgain}
	return r
}

// emit is an Emit's.
func (r *run) emit(v any, opts []publisher.Option) error {
	select {
	case r.turn <- struct{}{}:
	case <-r.ctx.Done():
		return fmt.Errorf("pipeline: %s: %w", r.output(), context.Cause(r.ctx))
	}
	defer func() { <-r.turn }()
	switch {
	case r.over:
		return ErrReturned
	case r.failed == nil:
		r.failed = r.publish(v, opts)
	}
	return r.failed
}

// publish publishes an output, or takes note of a continuation.
func (r *run) publish(v any, opts []publisher.Option) error {
	var asked sending.Draft
	if len(opts) > 0 {
		var err error
		if asked, err = sending.Asked(opts); err != nil {
			return fmt.Errorf("pipeline: %s: %w", r.output(), err)
		}
	}
	if asked.Output != nil && asked.Output.IsAgain {
		c, err := r.children.continuation()
		if err == nil {
			r.children.add(c)
			r.next = asked.Output.Next
		}
		return err
	}
	c, err := r.children.next(&asked)
	if err != nil {
		return err
	}
	return r.send(r.to, v, c, opts)
}

// send sends a child, when there is room.
func (r *run) send(to string, v any, c child, opts []publisher.Option) error {
	if err := r.flight.makeRoom(); err != nil {
		return fmt.Errorf("pipeline: %s: %w", r.output(), err)
	}
	all := make([]publisher.Option, 0, len(opts)+2)
	all = append(append(append(all, toQueue), opts...), c.mark())
	confirmation, err := r.pub.PublishAsync(r.ctx, to, v, all...)
	if err != nil {
		return fmt.Errorf("pipeline: %s: %w", r.output(), err)
	}
	r.children.add(c)
	r.flight.add(confirmation)
	return nil
}

// toQueue is the first option of an output, whatever exchange the Publisher has.
var toQueue = publisher.Exchange("")

// output is what an error is about.
func (r *run) output() string {
	if r.of.job == "" {
		return "an output of message " + foreign.Line(r.of.id, 60)
	}
	if r.of.path.IsStart() {
		return "an item of job " + r.of.job
	}
	return fmt.Sprintf("an output of %s in job %s", r.of.path, r.of.job)
}

// close lets nobody emit any more. It returns why an output has failed, if one has. What the turn
// guards is then the caller's.
func (r *run) close() error {
	r.turn <- struct{}{}
	defer func() { <-r.turn }()
	r.over = true
	return r.failed
}

// confirm waits until all outputs are confirmed, and then has the continuation published and
// confirmed. It is called after close.
func (r *run) confirm() error {
	if err := r.flight.land(); err != nil {
		return fmt.Errorf("pipeline: %s: %w", r.output(), err)
	}
	if !r.children.again {
		return nil
	}
	path := r.of.path.Again()
	c := child{job: r.of.job, path: path, id: outputID(&r.of, path.String()), kind: continued}
	if err := r.send(r.of.queue, r.next, c, nil); err != nil {
		return err
	}
	if err := r.flight.land(); err != nil {
		return fmt.Errorf("pipeline: the continuation of %s: %w", r.of.path, err)
	}
	return nil
}

// report says what the node has done. All its outputs are confirmed.
func (r *run) report() jobtree.Report {
	c := &r.children
	report := jobtree.Report{Job: r.of.job, Path: r.of.path.String(), Stage: r.of.stage(), Again: c.again}
	if n := c.numbered + len(c.keys); n > 0 {
		report.Out = map[string]int{stageOf(r.to): n}
	}
	if len(c.keys) > 0 {
		hashes := make([]jobtree.Hash, 0, len(c.keys))
		for h := range c.keys {
			hashes = append(hashes, h)
		}
		report.Keys = jobtree.Keys(hashes)
	}
	return report
}
