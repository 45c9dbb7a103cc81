package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/upgrade/fixture"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

// patience is far longer than anything takes that works.
const patience = 30 * time.Second

// scene makes the messages of one Spec, one after the other, on one goroutine.
type scene struct {
	name string
	raw  *amqp.Connection
	conn *connection.Connection
	pub  *publisher.Client
	log  *slog.Logger
	user string
	spec consumer.Spec

	ch       *amqp.Channel
	topology topology.Topology
	running  *consumer.Consumer // nil while no consumer runs
	release  chan struct{}      // closed to let a handler that blocks return
	made     fixture.Scheme

	mu    sync.Mutex
	calls map[string]int // of the handler, by message id
}

// handle does what the message's type says.
func (s *scene) handle(ctx context.Context, msg consumer.Message[json.RawMessage]) consumer.Result {
	s.mu.Lock()
	s.calls[msg.MessageID]++
	s.mu.Unlock()
	switch msg.Type {
	case "retry":
		return consumer.Retry(errors.New("connect to the database: connection refused"))
	case "after":
		return consumer.RetryAfter(fixture.Sleep, errors.New("rate limited"))
	case "snooze":
		return consumer.Snooze(fixture.Sleep)
	case "error":
		return consumer.Error(errors.New("order 7 has no customer"))
	case "panic":
		panic("index out of range")
	case "block":
		<-s.release
		return consumer.Ack()
	case "interrupted":
		<-ctx.Done()
		return consumer.Retry(ctx.Err())
	}
	return consumer.Ack()
}

func (s *scene) make() (fixture.Scheme, error) {
	s.calls, s.made.Name = map[string]int{}, s.name
	s.spec.Handler = consumer.JSON(s.handle)
	var err error
	if s.ch, err = s.raw.Channel(); err != nil {
		return s.made, err
	}
	if err := s.declare(); err != nil {
		return s.made, err
	}
	for _, make := range []func() error{s.fresh, s.waiting, s.interrupted, s.returned, s.quarantined, s.crashed} {
		if err := errors.Join(make(), s.stop(5*time.Second)); err != nil {
			return s.made, err
		}
	}
	return s.made, s.cleanUp()
}

// declare declares the queues and writes down how.
func (s *scene) declare() error {
	c, err := consumer.New(nil, s.spec, nil, s.log)
	if err != nil {
		return err
	}
	s.topology = c.Topology()
	var recorded fixture.Recorder
	if s.name == "bunnicula" {
		if err := recorded.ExchangeDeclare(s.spec.Bindings[0].Exchange, "topic", true, false, false, false, nil); err != nil {
			return err
		}
	}
	if err := s.topology.Declare(&recorded); err != nil {
		return err
	}
	s.made.Declared = recorded.Declared
	return fixture.Declare(s.ch, recorded.Declared)
}

func (s *scene) start() error {
	if s.running != nil {
		return nil
	}
	c, err := consumer.New(s.conn, s.spec, nil, s.log)
	if err != nil {
		return err
	}
	s.running, s.release = c, make(chan struct{})
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return c.Start(ctx)
}

func (s *scene) stop(within time.Duration) error {
	if s.running == nil {
		return nil
	}
	c := s.running
	s.running = nil
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	return c.Stop(ctx)
}

// publish publishes as a user does, to the exchange of the binding if there is one.
func (s *scene) publish(id, kind, body string, more ...func(*amqp.Publishing)) (exchange, key string, c fixture.Content, err error) {
	p := amqp.Publishing{
		ContentType: "application/json", DeliveryMode: amqp.Persistent, MessageId: id, Type: kind,
		Timestamp: time.Now().UTC().Truncate(time.Second), Body: []byte(body),
	}
	for _, change := range more {
		change(&p)
	}
	key = s.spec.Queue
	if len(s.spec.Bindings) > 0 {
		exchange = s.spec.Bindings[0].Exchange
		if keys := s.spec.Bindings[0].Keys; len(keys) > 0 {
			key = "order.paid"
		}
	}
	err = s.ch.PublishWithContext(context.Background(), exchange, key, true, false, p)
	c = fixture.ContentOf(amqp.Delivery{
		ContentType: p.ContentType, ContentEncoding: p.ContentEncoding, DeliveryMode: p.DeliveryMode, Priority: p.Priority,
		CorrelationId: p.CorrelationId, ReplyTo: p.ReplyTo, Expiration: p.Expiration, MessageId: p.MessageId,
		Timestamp: p.Timestamp, Type: p.Type, UserId: p.UserId, AppId: p.AppId, Headers: p.Headers, Body: p.Body,
	})
	return exchange, key, c, err
}

// called waits until the handler has been called so often for a message.
func (s *scene) called(id string, times int) error {
	return until(func() (bool, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.calls[id] >= times, nil
	}, "message %s is not handled %d times", id, times)
}

// get waits for the next message of the queue, which must be this one.
func (s *scene) get(queue, id string, ack bool) (d amqp.Delivery, err error) {
	if queue == s.spec.Queue && s.spec.SingleActive {
		d, err = s.receive(queue)
	} else {
		err = until(func() (ok bool, err error) {
			d, ok, err = s.ch.Get(queue, ack)
			return ok, err
		}, "no message in %s, want %s", queue, id)
	}
	if err == nil && d.MessageId != id {
		err = fmt.Errorf("%s has message %s, want %s", queue, d.MessageId, id)
	}
	return d, err
}

// receive takes the only message of a queue from which basic.get takes none, as a quorum queue with
// a single active consumer is.
func (s *scene) receive(queue string) (amqp.Delivery, error) {
	deliveries, err := s.ch.Consume(queue, queue, true, false, false, false, nil)
	if err != nil {
		return amqp.Delivery{}, err
	}
	select {
	case d := <-deliveries:
		return d, s.ch.Cancel(queue, false)
	case <-time.After(patience):
		return amqp.Delivery{}, fmt.Errorf("no message in %s", queue)
	}
}

// putBack lets the queue have a message back so often, each counted as a failure.
func (s *scene) putBack(queue, id string, times int) error {
	for range times {
		d, err := s.get(queue, id, false)
		if err == nil {
			err = d.Reject(true)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// keep takes a message out of its queue and into the fixture.
func (s *scene) keep(m fixture.Message) error {
	d, err := s.get(m.Queue, m.Published.MessageID, true)
	m.Stood = fixture.ContentOf(d)
	s.made.Messages = append(s.made.Messages, m)
	return err
}

// queue is the queue of this role, and of this delay if it is a retry queue.
func (s *scene) queue(role topology.Role, delay time.Duration) string {
	for _, q := range s.topology.Queues {
		if q.Role == role && (role != topology.RoleRetry || q.Delay == delay || s.topology.Scheme == topology.Bunnicula) {
			return q.Name
		}
	}
	return ""
}

func (s *scene) cleanUp() error {
	for _, d := range s.made.Declared {
		var err error
		switch d.What {
		case "queue":
			var left int
			left, err = s.ch.QueueDelete(d.Name, false, false, false)
			if left > 0 {
				err = errors.Join(err, fmt.Errorf("%d messages were left in %s", left, d.Name))
			}
		case "exchange":
			err = s.ch.ExchangeDelete(d.Name, false, false)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func until(done func() (bool, error), format string, args ...any) error {
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		switch ok, err := done(); {
		case err != nil || ok:
			return err
		case time.Now().After(end):
			return fmt.Errorf(format, args...)
		}
	}
}
