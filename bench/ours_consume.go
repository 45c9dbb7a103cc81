package main

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"time"

	"github.com/bunnicula-go/bunnicula/bench/turn"
	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/statsd"
)

// One message in slowEvery is slow, and takes slowFor. Its handler sleeps and uses no CPU.
const (
	slowEvery = 1000
	slowFor   = 200 * time.Millisecond
)

// slowness makes messages slow, by the order in which they come.
type slowness struct{ n atomic.Int64 }

func (s *slowness) wait() {
	if s.n.Add(1)%slowEvery == slowEvery/2 { // so no slow message is among the last
		time.Sleep(slowFor)
	}
}

// noop counts a message and acks it.
func (r *run) noop(context.Context, consumer.Delivery) consumer.Result {
	r.Meter.Tick()
	return consumer.Ack()
}

// inJSON is noop after decoding the body.
func (r *run) inJSON() consumer.Handler {
	return consumer.JSON(func(_ context.Context, m consumer.Message[turn.Document]) consumer.Result {
		if m.Payload.ID == "" {
			return consumer.Error(errors.New("decoded to nothing"))
		}
		r.Meter.Tick()
		return consumer.Ack()
	})
}

// spec has the settings that all sides share: the defaults of this library, except for the
// concurrency and the prefetch.
func (r *run) spec(concurrency, prefetch int) consumer.Spec {
	return consumer.Spec{Queue: r.Queue, QueueType: r.QueueType, Concurrency: concurrency, Prefetch: prefetch, Handler: r.noop}
}

// consume runs a consumer until the last message.
func (r *run) consume(ctx context.Context, spec consumer.Spec, monitor monitoring.Monitor) error {
	return r.connected(func(conn *connection.Connection) error {
		return r.consumeOn(ctx, conn, spec, monitor, func() error { return r.Meter.Wait(ctx) })
	})
}

// consumeOn runs a consumer for as long as f runs.
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

// consumeOursBare runs without features that most applications use.
func consumeOursBare(ctx context.Context, r *run) error {
	spec := r.spec(16, 300)
	spec.Handler, spec.Timeout = r.inJSON(), consumer.NoTimeout
	return r.consume(ctx, spec, monitoring.Nop{})
}

// consumeOursWatched runs with all features that most applications use.
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

// pause is the delay of a retried message.
const pause = 100 * time.Millisecond

var errOnce = errors.New("the first time it fails")

func retryOurs(ctx context.Context, r *run) error {
	spec := r.spec(16, 300)
	spec.Backoff = []time.Duration{pause}
	var first atomic.Bool
	spec.Handler = func(ctx context.Context, d consumer.Delivery) consumer.Result {
		if first.CompareAndSwap(false, true) {
			r.Meter.Start()
		}
		if d.Attempt == 1 {
			return consumer.Retry(errOnce)
		}
		return r.noop(ctx, d)
	}
	// The raw side does not report its failures either.
	return r.consume(ctx, spec, monitoring.Nop{})
}

// decodeDocument is for raw sides, which do not have consumer.JSON.
func decodeDocument(body []byte) error {
	var d turn.Document
	if err := json.Unmarshal(body, &d); err != nil {
		return err
	}
	if d.ID == "" {
		return errors.New("decoded to nothing")
	}
	return nil
}
