package main

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/statsd"
)

// A slow message is one in slowEvery, and takes slowFor. Its handler is found waiting, not working.
const (
	slowEvery = 1000
	slowFor   = 200 * time.Millisecond
)

// slowness lets the messages be slow that are to be, by the order in which they come.
type slowness struct{ n atomic.Int64 }

func (s *slowness) wait() {
	if s.n.Add(1)%slowEvery == slowEvery/2 { // so none is among the last
		time.Sleep(slowFor)
	}
}

// noop counts a message and acks it.
func (r *run) noop(context.Context, consumer.Delivery) consumer.Result {
	r.meter.tick()
	return consumer.Ack()
}

// inJSON is noop behind decoding.
func (r *run) inJSON() consumer.Handler {
	return consumer.JSON(func(_ context.Context, m consumer.Message[document]) consumer.Result {
		if m.Payload.ID == "" {
			return consumer.Error(errors.New("decoded to nothing"))
		}
		r.meter.tick()
		return consumer.Ack()
	})
}

// spec has what all sides have in common: our defaults, but for how much is done at once.
func (r *run) spec(concurrency, prefetch int) consumer.Spec {
	return consumer.Spec{Queue: r.Queue, QueueType: r.QueueType, Concurrency: concurrency, Prefetch: prefetch, Handler: r.noop}
}

// consume runs a consumer until the last message.
func (r *run) consume(ctx context.Context, spec consumer.Spec, monitor monitoring.Monitor) error {
	return r.connected(func(conn *connection.Connection) error {
		return r.consumeOn(ctx, conn, spec, monitor, func() error { return r.meter.wait(ctx) })
	})
}

// consumeOn runs a consumer while f does.
func (r *run) consumeOn(ctx context.Context, conn *connection.Connection, spec consumer.Spec, monitor monitoring.Monitor, f func() error) error {
	c, err := consumer.New(conn, spec, monitor, quiet())
	if err != nil {
		return err
	}
	if err := c.Start(ctx); err != nil {
		return err
	}
	err = f()
	stopping, cancel := goodbye()
	defer cancel()
	return errors.Join(err, c.Stop(stopping))
}

func consumeOurs(concurrency, prefetch int) func(context.Context, *run) error {
	return func(ctx context.Context, r *run) error { return r.consume(ctx, r.spec(concurrency, prefetch), nil) }
}

func consumeOursJSON(ctx context.Context, r *run) error {
	spec := r.spec(16, 300)
	spec.Handler = r.inJSON()
	return r.consume(ctx, spec, nil)
}

// consumeOursBare is without what most would have.
func consumeOursBare(ctx context.Context, r *run) error {
	spec := r.spec(16, 300)
	spec.Handler, spec.Timeout = r.inJSON(), consumer.NoTimeout
	return r.consume(ctx, spec, monitoring.Nop{})
}

// consumeOursWatched is with all that most would have.
func consumeOursWatched(ctx context.Context, r *run) error {
	metrics, err := statsd.New(statsd.Config{Addr: r.StatsD, Prefix: "bench"})
	if err != nil {
		return err
	}
	spec := r.spec(16, 300)
	spec.Handler, spec.Timeout = r.inJSON(), time.Minute
	err = r.consume(ctx, spec, monitoring.Multi(monitoring.Log{Logger: quiet()}, metrics))
	return errors.Join(err, metrics.Close())
}

func consumeOursSlow(ctx context.Context, r *run) error {
	var slow slowness
	spec := r.spec(64, 300)
	spec.Handler = func(ctx context.Context, d consumer.Delivery) consumer.Result {
		slow.wait()
		return r.noop(ctx, d)
	}
	return r.consume(ctx, spec, nil)
}

// pause is how long a retried message waits.
const pause = 100 * time.Millisecond

var errOnce = errors.New("the first time it fails")

func retryOurs(ctx context.Context, r *run) error {
	spec := r.spec(16, 300)
	spec.Backoff = []time.Duration{pause}
	var first atomic.Bool
	spec.Handler = func(ctx context.Context, d consumer.Delivery) consumer.Result {
		if first.CompareAndSwap(false, true) {
			r.meter.start()
		}
		if d.Attempt == 1 {
			return consumer.Retry(errOnce)
		}
		return r.noop(ctx, d)
	}
	return r.consume(ctx, spec, monitoring.Nop{}) // the raw side says nothing of its failures either
}

// decodeDocument is what a raw side does where ours has consumer.JSON.
func decodeDocument(body []byte) error {
	var d document
	if err := json.Unmarshal(body, &d); err != nil {
		return err
	}
	if d.ID == "" {
		return errors.New("decoded to nothing")
	}
	return nil
}
