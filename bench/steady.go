package main

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// The steady load: one process publishes and handles so many messages a second. One in retryEvery
// is retried once, after pause. One in parkEvery is parked.
const (
	steadyRate  = 5000
	steadySlice = 10 * time.Millisecond // messages of a slice are published together
	lateness    = time.Second
	retryEvery  = 100
	parkEvery   = 10_000
)

// steady is the load, and what became of it so far.
type steady struct {
	queue string    // immutable
	zero  time.Time // immutable

	published   atomic.Int64 // and confirmed
	unconfirmed atomic.Int64 // published or not: its error came instead of a confirm
	acked       atomic.Int64
	retried     atomic.Int64
	parked      atomic.Int64

	mu    sync.Mutex
	times []float64 // ms from publish to handler of first attempts; takeTimes empties it
	spare []float64 // what takeTimes has returned the time before
}

// done is how many messages have had their last attempt.
func (s *steady) done() int64 { return s.acked.Load() + s.parked.Load() }

// isBehind says whether more than a second's messages wait to be handled.
func (s *steady) isBehind() bool { return s.published.Load()-s.done() > steadyRate }

var errPoison = errors.New("it is given up at once")

// handle takes a message that carries its number and the time of its publish.
func (s *steady) handle(_ context.Context, d consumer.Delivery) consumer.Result {
	now := time.Since(s.zero)
	if len(d.Body) < 16 {
		s.parked.Add(1)
		return consumer.Error(errPoison)
	}
	n, sent := binary.BigEndian.Uint64(d.Body), time.Duration(binary.BigEndian.Uint64(d.Body[8:]))
	if d.Attempt == 1 {
		s.mu.Lock()
		s.times = append(s.times, float64(now-sent)/float64(time.Millisecond))
		s.mu.Unlock()
	}
	switch {
	case n%parkEvery == 1:
		s.parked.Add(1)
		return consumer.Error(errPoison)
	case n%retryEvery == 0 && d.Attempt == 1:
		s.retried.Add(1)
		return consumer.Retry(errOnce)
	}
	s.acked.Add(1)
	return consumer.Ack()
}

// takeTimes returns the times since the last call. They are valid until the next one.
func (s *steady) takeTimes() []float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.times
	s.times, s.spare = s.spare[:0], taken
	return taken
}

// run publishes and handles until ctx ends, and then until all that was published is handled.
func (s *steady) run(ctx context.Context, r *run) error {
	spec := r.spec(16, 0)
	spec.Backoff, spec.Handler = []time.Duration{pause}, s.handle
	whole := context.WithoutCancel(ctx)
	return r.publishing(whole, func(pub *publisher.Client) error {
		return r.connected(func(conn *connection.Connection) error {
			return r.consumeOn(whole, conn, spec, nil, func() error {
				s.publish(ctx, pub, r.Size)
				return s.rest()
			})
		})
	})
}

// publish publishes until ctx ends. A slice that is late is published at once. What is late by more
// than lateness is not made up for: otherwise a machine that was busy for a while would get more
// than the rate for long. A slice waits while a second's messages are not handled, so that no
// backlog grows on a machine that is too slow for the rate.
func (s *steady) publish(ctx context.Context, pub *publisher.Client, size int) {
	sent := make(chan publisher.Confirmation, sending.DefaultWindow)
	var collecting sync.WaitGroup
	collecting.Go(func() { s.collect(sent) })
	const perSlice = int(steadyRate * steadySlice / time.Second)
	began := time.Now()
	for i := 0; backoff.Wait(ctx, time.Until(began.Add(time.Duration(i)*steadySlice))); i++ {
		for s.isBehind() && backoff.Wait(ctx, steadySlice) {
		}
		if late := time.Since(began.Add(time.Duration(i) * steadySlice)); late > lateness {
			began = began.Add(late)
		}
		for j := range perSlice {
			body := make([]byte, max(size, 16))
			binary.BigEndian.PutUint64(body, uint64(i*perSlice+j))
			binary.BigEndian.PutUint64(body[8:], uint64(time.Since(s.zero)))
			// Not ctx: its end would leave a message of which nobody knows whether it was sent.
			c, err := pub.PublishAsync(context.WithoutCancel(ctx), s.queue, body)
			if err != nil {
				s.unconfirmed.Add(1)
				continue
			}
			sent <- c
		}
	}
	close(sent)
	collecting.Wait()
}

// collect waits for all confirms.
func (s *steady) collect(sent <-chan publisher.Confirmation) {
	for c := range sent {
		<-c.Done()
		if c.Err() != nil {
			s.unconfirmed.Add(1)
			continue
		}
		s.published.Add(1)
	}
}

var errUnhandled = errors.New("not all messages that were published are handled")

// rest waits until every published message has had its last attempt.
func (s *steady) rest() error {
	for end := time.Now().Add(time.Minute); s.done() < s.published.Load(); {
		if time.Now().After(end) {
			return errUnhandled
		}
		time.Sleep(10 * time.Millisecond)
	}
	return nil
}
