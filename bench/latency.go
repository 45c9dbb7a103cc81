package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/bench/turn"
	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// latencyRate is how many messages a second are published: so few that no message waits for
// another.
const latencyRate = 500

// stopwatch measures the time from just before a publish to the handler, for each message, with
// this process's own clock.
type stopwatch struct {
	run   *run
	zero  time.Time
	n     atomic.Int64
	times []float64 // milliseconds, in the order of arrival

	seen  []atomic.Bool // by number
	again atomic.Int64  // arrivals of messages that had arrived before
}

func newStopwatch(r *run) *stopwatch {
	all := r.Meter.All()
	return &stopwatch{run: r, zero: time.Now(), times: make([]float64, all), seen: make([]atomic.Bool, all)}
}

// stamp returns the body of a message with this number: the number and the current time.
func (s *stopwatch) stamp(number int) []byte {
	body := make([]byte, max(s.run.Size, 16))
	binary.BigEndian.PutUint64(body, uint64(number))
	binary.BigEndian.PutUint64(body[8:], uint64(time.Since(s.zero)))
	return body
}

// read measures a message that arrives for the first time.
func (s *stopwatch) read(body []byte) error {
	now := time.Since(s.zero)
	if len(body) < 16 {
		return fmt.Errorf("a body of %d bytes", len(body))
	}
	number := binary.BigEndian.Uint64(body)
	if number >= uint64(len(s.seen)) {
		return fmt.Errorf("a message with the number %d, of %d", number, len(s.seen))
	}
	if s.seen[number].Swap(true) {
		s.again.Add(1)
		return nil
	}
	s.times[s.n.Add(1)-1] = float64(now-time.Duration(binary.BigEndian.Uint64(body[8:]))) / float64(time.Millisecond)
	s.run.Meter.Tick()
	return nil
}

// pace calls send for each message at its time, so many a second. A late message does not delay the
// others.
func (s *stopwatch) pace(ctx context.Context, perSecond int, send func(i int, body []byte) error) error {
	began := time.Now()
	for i := range int(s.run.Meter.All()) {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(perSecond))
		if !backoff.Wait(ctx, time.Until(due)) {
			return context.Cause(ctx)
		}
		if err := send(i, s.stamp(i)); err != nil {
			return err
		}
	}
	return s.run.Meter.Wait(ctx)
}

// finish makes the sample. It leaves out the warm-up.
func (s *stopwatch) finish() {
	own := s.run.Meter.Sample()
	times := s.times[s.run.Warm:]
	own[turn.P50], own[turn.P99] = percentile(times, 0.50), percentile(times, 0.99)
	own[turn.Repeats] = float64(s.again.Load())
	s.run.Own = own
}

func latencyOurs(ctx context.Context, r *run) error {
	watch := newStopwatch(r)
	spec := r.spec(16, 300)
	failed := make(chan error, 1)
	spec.Handler = func(_ context.Context, d consumer.Delivery) consumer.Result {
		if err := watch.read(d.Body); err != nil {
			select {
			case failed <- err:
			default:
			}
		}
		return consumer.Ack()
	}
	err := r.publishing(ctx, func(pub *publisher.Client) error {
		return r.connected(func(conn *connection.Connection) error {
			return r.consumeOn(ctx, conn, spec, nil, func() error {
				return watch.pace(ctx, latencyRate, func(_ int, body []byte) error {
					select {
					case err := <-failed:
						return err
					default:
					}
					// The handler shows whether the message has arrived.
					_, err := pub.PublishAsync(ctx, r.Queue, body)
					return err
				})
			})
		})
	})
	if err == nil {
		watch.finish()
	}
	return err
}

// unwatched returns a function that publishes with confirms at which nobody looks: the handler
// shows whether a message has arrived. Only the window waits for them.
func (ch confirming) unwatched() (send func(queue string, body []byte) error, end func()) {
	sent := make(chan *amqp.DeferredConfirmation, sending.DefaultWindow)
	go func() {
		for c := range sent {
			<-c.Done()
		}
	}()
	return func(queue string, body []byte) error {
		c, err := ch.send(queue, body)
		if err == nil {
			sent <- c
		}
		return err
	}, func() { close(sent) }
}

func latencyRaw(ctx context.Context, r *run) error {
	watch := newStopwatch(r)
	err := r.confirming(func(pub confirming) error {
		send, end := pub.unwatched()
		defer end()
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		return r.dial(func(conn *amqp.Connection) error {
			_, deliveries, err := r.subscribe(conn, 300, false)
			if err != nil {
				return err
			}
			go func() { // ends with the connection
				for d := range deliveries {
					err := watch.read(d.Body)
					if err == nil {
						err = d.Ack(false)
					}
					if err != nil {
						cancel(err)
						return
					}
				}
			}()
			return watch.pace(ctx, latencyRate, func(_ int, body []byte) error {
				return send(r.Queue, body)
			})
		})
	})
	if err == nil {
		watch.finish()
	}
	return err
}
