package main

import (
	"context"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/upgrade/fixture"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

// everything sets each property, and a header of each AMQP type.
func (s *scene) everything(p *amqp.Publishing) {
	p.ContentEncoding, p.Priority, p.CorrelationId, p.ReplyTo = "identity", 5, "correlation", "replies"
	p.Expiration, p.UserId, p.AppId = "3600000", s.user, "till"
	p.Headers = amqp.Table{
		"void": nil, "bool": true, "int8": int8(-8), "uint8": uint8(200), "int16": int16(-1600), "uint16": uint16(60000),
		"int32": int32(-320000), "uint32": uint32(4000000000), "int64": int64(-1 << 60), "float32": float32(1.5), "float64": 2.25,
		"decimal": amqp.Decimal{Scale: 2, Value: 1999}, "string": "Grüße", "bytes": []byte{0, 1, 255},
		"time":  time.Date(2026, 2, 3, 4, 5, 6, 0, time.UTC),
		"table": amqp.Table{"deep": amqp.Table{"n": int64(1)}, "empty": ""},
		"array": []any{int32(1), "two", true, amqp.Table{"three": int64(3)}},
	}
}

// headers sets headers as most users do.
func headers(p *amqp.Publishing) {
	p.Headers = amqp.Table{"tenant": "north", "n": int64(7)}
}

const body = `{"order":7}`

// fresh are messages that no handler has seen.
func (s *scene) fresh() error {
	const id = "by-the-publisher"
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := s.pub.Publish(ctx, s.spec.Queue, map[string]int{"order": 7}, publisher.MessageID(id),
		publisher.Headers(map[string]any{"n": 7, "tenant": "north"}), publisher.Type("ack"))
	if err != nil {
		return err
	}
	d, err := s.get(s.spec.Queue, id, true)
	if err != nil {
		return err
	}
	c := fixture.ContentOf(d)
	s.made.Messages = append(s.made.Messages, fixture.Message{
		Queue: s.spec.Queue, Attempt: 1, RoutingKey: s.spec.Queue, Published: c, Stood: c,
	})
	m := fixture.Message{Queue: s.spec.Queue, Attempt: 1}
	if m.Exchange, m.RoutingKey, m.Published, err = s.publish("fresh", "ack", body, s.everything); err != nil {
		return err
	}
	return s.keep(m)
}

// waiting are messages that were retried, snoozed or parked.
func (s *scene) waiting() error {
	retry, parked := topology.RoleRetry, topology.RoleError
	for _, c := range []struct {
		id, do  string
		calls   int // of the handler, before the message is where it is to stand
		role    topology.Role
		delay   time.Duration
		attempt int
		body    string
		more    func(*amqp.Publishing)
	}{
		{id: "retried-once", do: "retry", calls: 1, role: retry, delay: fixture.Short, attempt: 2, more: headers},
		{id: "retried-twice", do: "retry", calls: 2, role: retry, delay: fixture.Long, attempt: 3, more: headers},
		{id: "retried-with-everything", do: "retry", calls: 1, role: retry, delay: fixture.Short, attempt: 2, more: s.everything},
		{id: "snoozed", do: "snooze", calls: 1, role: retry, delay: fixture.Long, attempt: 1, more: headers},
		{id: "retried-after", do: "after", calls: 1, role: retry, delay: fixture.Long, attempt: 2, more: headers},
		{id: "panicked", do: "panic", calls: 1, role: retry, delay: fixture.Short, attempt: 2, more: headers},
		{id: "exhausted", do: "retry", calls: 4, role: parked, attempt: 4, more: headers},
		{id: "exhausted-panicking", do: "panic", calls: 4, role: parked, attempt: 4, more: headers},
		{id: "failed-with-everything", do: "error", calls: 1, role: parked, attempt: 1, more: s.everything},
		{id: "undecodable", do: "ack", role: parked, attempt: 1, body: `{"order":`, more: headers},
	} {
		if err := s.start(); err != nil {
			return err
		}
		if c.body == "" {
			c.body = body
		}
		m := fixture.Message{Queue: s.queue(c.role, c.delay), Attempt: c.attempt}
		var err error
		if m.Exchange, m.RoutingKey, m.Published, err = s.publish(c.id, c.do, c.body, c.more); err != nil {
			return err
		}
		if err = s.called(c.id, c.calls); err == nil {
			err = s.keep(m)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// interrupted is a message whose handler was cancelled by a stop. A single active consumer makes no
// copy of it.
func (s *scene) interrupted() error {
	if s.spec.SingleActive {
		return nil
	}
	const id = "interrupted"
	if err := s.start(); err != nil {
		return err
	}
	m := fixture.Message{Queue: s.spec.Queue, Attempt: 1}
	var err error
	if m.Exchange, m.RoutingKey, m.Published, err = s.publish(id, id, body, headers); err != nil {
		return err
	}
	if err := s.called(id, 1); err != nil {
		return err
	}
	if err := s.stop(3 * time.Second); err != nil {
		return err
	}
	return s.keep(m)
}

// returned is a message that was returned twice, and that no consumer has seen since.
func (s *scene) returned() error {
	if s.queue(topology.RoleQuarantine, 0) == "" {
		return nil
	}
	m := fixture.Message{Queue: s.spec.Queue, Attempt: 1, Returned: 2}
	var err error
	if m.Exchange, m.RoutingKey, m.Published, err = s.publish("returned", "ack", body, headers); err != nil {
		return err
	}
	if err := s.putBack(m.Queue, "returned", 2); err != nil {
		return err
	}
	return s.keep(m)
}

// quarantined are messages that were set aside. While another handler blocks, the consumer leaves
// them there.
func (s *scene) quarantined() error {
	quarantine := s.queue(topology.RoleQuarantine, 0)
	if quarantine == "" {
		return nil
	}
	for _, c := range []struct {
		id, do   string
		attempt  int
		returned int // from quarantine
		more     func(*amqp.Publishing)
	}{
		{id: "aside", do: "ack", attempt: 1, more: s.everything},
		{id: "aside-retried", do: "retry", attempt: 2, more: headers},
		{id: "aside-returned", do: "ack", attempt: 1, returned: 1, more: headers},
		{id: "killer", do: "ack", attempt: 1, returned: 2, more: headers},
	} {
		m, err := s.aside(c.id, c.do, c.attempt, c.more)
		if err != nil {
			return err
		}
		m.Returned = c.returned
		if err := s.putBack(quarantine, c.id, c.returned); err != nil {
			return err
		}
		if err := s.keep(m); err != nil {
			return err
		}
		close(s.release)
		if err := s.stop(5 * time.Second); err != nil {
			return err
		}
	}
	return nil
}

// aside lets the consumer set a message aside, with so many attempts before this one, and returns
// while another handler blocks.
func (s *scene) aside(id, do string, attempt int, more func(*amqp.Publishing)) (m fixture.Message, err error) {
	m = fixture.Message{Queue: s.queue(topology.RoleQuarantine, 0), Attempt: attempt}
	if attempt > 1 {
		if err = s.start(); err != nil {
			return m, err
		}
	}
	if m.Exchange, m.RoutingKey, m.Published, err = s.publish(id, do, body, more); err != nil {
		return m, err
	}
	if attempt > 1 {
		if err = s.called(id, attempt-1); err != nil {
			return m, err
		}
		if err = s.stop(5 * time.Second); err != nil {
			return m, err
		}
	}
	if err = s.putBack(s.spec.Queue, id, 1); err != nil {
		return m, err
	}
	held, err := s.get(s.spec.Queue, id, false)
	if err != nil {
		return m, err
	}
	blocker := "blocker-of-" + id
	if _, _, _, err = s.publish(blocker, "block", body); err != nil {
		return m, err
	}
	if err = s.start(); err != nil {
		return m, err
	}
	if err = s.called(blocker, 1); err != nil {
		return m, err
	}
	return m, held.Reject(true)
}

// crashed is a message that was parked since its process died too often.
func (s *scene) crashed() error {
	quarantine := s.queue(topology.RoleQuarantine, 0)
	if quarantine == "" {
		return nil
	}
	m, err := s.aside("crashed", "ack", 1, headers)
	if err != nil {
		return err
	}
	if err := s.putBack(quarantine, "crashed", 2); err != nil {
		return err
	}
	close(s.release)
	m.Queue = s.queue(topology.RoleError, 0)
	return s.keep(m)
}
