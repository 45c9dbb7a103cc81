package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/jobtree"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Stage makes a Handler of a function that makes any number of outputs of one message, and emits
// them to the queue to. Bodies are JSON; StageWith is for another codec.
//
//	what h does                         what becomes of the message
//	returns Ack                         acked, once all outputs are confirmed and reported
//	returns anything else               that; outputs stay, and nothing is reported
//	Ack or Retry, and an emit failed    retried, with the error of that emit
//	the same, beyond a bound of a job   parked: ErrTooDeep, ErrTooManyAgain, ErrTooManyKeys
//	panics or calls runtime.Goexit      retried
//	Ack, and an output is refused       retried, with the broker's reason
//	Ack, and the report fails           snoozed for 1 to 30 s; no attempt is used
//	the same, less than 1 s before the Timeout    retried
//	the process dies                    delivered again
//
// So a message that is acked has all its outputs in their queue, and its report in the stream. A
// message that is handled again emits its outputs again, with the same ids: what handles them may
// get them twice, and outbox.Once writes them once. For that, all runs of one message must emit the
// same outputs in the same order, or give each a Key.
//
// A message that was published without the headers of a job is handled too. Its outputs have ids
// made of its own message id, and nothing is reported. If it was published without an id, they have
// others after the death of a process. One whose headers cannot be read is parked with ErrHeaders,
// and h does not run.
//
// The Spec's Plan has the queue to in Emits: see consumer.Emitting.
//
// A nil Pipeline or h, and a name of a queue that is empty or too long, is an error of
// consumer.New.
func Stage[In, Out any](p *Pipeline, to string, h func(ctx context.Context, in consumer.Message[In], emit Emit[Out]) consumer.Result) consumer.Handler {
	return StageWith(p, publisher.JSON, to, h)
}

// StageWith is Stage with another codec for the messages that come. Outputs have the Publisher's,
// or that of an option publisher.With.
func StageWith[In, Out any](p *Pipeline, codec publisher.Codec, to string, h func(ctx context.Context, in consumer.Message[In], emit Emit[Out]) consumer.Result) consumer.Handler {
	switch {
	case p == nil:
		return consumer.Invalid(errors.New("pipeline: the Pipeline of a Stage is nil"))
	case to == "" || len(to) > maxQueue:
		return consumer.Invalid(fmt.Errorf("pipeline: the queue of a Stage's outputs has %d bytes, want 1 to %d: %q", len(to), maxQueue, foreign.Line(to, 60)))
	case h == nil:
		return nil
	}
	handler := consumer.Decode(codec, func(ctx context.Context, in consumer.Message[In]) consumer.Result {
		return p.handle(ctx, &in.Delivery, to, func(r *run) consumer.Result { return h(ctx, in, emitter[Out](r)) })
	})
	return consumer.Emitting(handler, to)
}

const maxQueue = 255 // bytes (AMQP 0-9-1)

// Sink makes a Handler of a function that makes no outputs: a job's last stage. It is a Stage in
// all else. Around outbox.Once it writes each message once, however often it comes:
//
//	Handler: pipeline.Sink(bank, outbox.Once(box, save))
//
// A nil Pipeline or h is an error of consumer.New.
func Sink[In any](p *Pipeline, h func(ctx context.Context, in consumer.Message[In]) consumer.Result) consumer.Handler {
	return SinkWith(p, publisher.JSON, h)
}

// SinkWith is Sink with another codec.
func SinkWith[In any](p *Pipeline, codec publisher.Codec, h func(ctx context.Context, in consumer.Message[In]) consumer.Result) consumer.Handler {
	switch {
	case p == nil:
		return consumer.Invalid(errors.New("pipeline: the Pipeline of a Sink is nil"))
	case h == nil:
		return nil
	}
	return consumer.Decode(codec, func(ctx context.Context, in consumer.Message[In]) consumer.Result {
		return p.handle(ctx, &in.Delivery, "", func(*run) consumer.Result { return h(ctx, in) })
	})
}

// handle runs a handler, and says Ack only when the outputs and the report are confirmed.
func (p *Pipeline) handle(ctx context.Context, d *consumer.Delivery, to string, h func(*run) consumer.Result) consumer.Result {
	n, err := nodeOf(d)
	if err != nil {
		return consumer.Error(err)
	}
	r := p.newRun(ctx, n, to)
	said, failed := r.handled(h)
	if result := verdict(said, failed); !result.Acked() {
		return result
	}
	if err := r.confirm(); err != nil {
		return consumer.Retry(err)
	}
	return p.reported(ctx, n, r.report())
}

// handled runs the handler. Nobody can emit when it has returned, also after a panic.
func (r *run) handled(h func(*run) consumer.Result) (said consumer.Result, failed error) {
	defer func() { failed = r.close() }()
	return h(r), nil
}

// verdict decides about a message whose handler has said something, after an output has failed or
// none has.
func verdict(said consumer.Result, failed error) consumer.Result {
	switch {
	case failed == nil, said.Errored(), said.Snoozed():
		return said
	case isHopeless(failed):
		return consumer.Error(failed)
	case said.Acked():
		return consumer.Retry(failed)
	}
	return said
}

// reported reports a node, and says Ack when that is confirmed. The stream's trouble is not the
// message's fault, so it waits for it.
func (p *Pipeline) reported(ctx context.Context, n node, report jobtree.Report) consumer.Result {
	if n.job == "" {
		return consumer.Ack()
	}
	began := time.Now()
	err := p.reporter.report(ctx, report)
	switch {
	case err == nil:
		hasReported(ctx)
		return consumer.Ack()
	case ctx.Err() != nil && time.Since(began) < leastPatience: // the handler has used up its time
		return consumer.Retry(err)
	}
	return consumer.SnoozeBecause(p.reporter.pause(), err)
}

// leastPatience is how long a report must have had before its message's deadline, so that the
// stream is at fault.
const leastPatience = time.Second

// Pauses of a message that cannot be reported.
const (
	shortestPause = time.Second
	longestPause  = 30 * time.Second
)
