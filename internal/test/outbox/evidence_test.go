package outbox_test

import (
	"errors"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/topology"
)

func (s *stage) box() *outbox.Box {
	s.t.Helper()
	box, err := outbox.New(s.db, s.database.Dialect)
	if err != nil {
		s.t.Fatal(err)
	}
	return box
}

func (s *stage) query(query string, each func(scan func(...any) error) error) {
	s.t.Helper()
	rows, err := s.db.QueryContext(s.t.Context(), query)
	if err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			s.t.Fatalf("%s: %v", query, err)
		}
	}
	if err := rows.Err(); err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
}

// channel is one to the broker. A broker that was killed needs another one.
func (s *stage) channel() *amqp.Channel {
	s.t.Helper()
	if s.queues == nil || s.queues.IsClosed() {
		ch, err := amqptest.DialURL(s.t, s.broker.URL).Channel()
		if err != nil {
			s.t.Fatal(err)
		}
		s.queues = ch
	}
	return s.queues
}

func (s *stage) witness() string { return s.prefix + "-witness" }

// appointWitness binds the witness to all routing keys of which there are queues.
func (s *stage) appointWitness() {
	s.t.Helper()
	ch := s.channel()
	if _, err := ch.QueueDeclare(s.witness(), true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
		s.t.Fatal(err)
	}
	for _, k := range []kind{work, mail} {
		if err := ch.QueueBind(s.witness(), k.route(), s.prefix, false, nil); err != nil {
			s.t.Fatal(err)
		}
	}
	s.broker.Settle()
}

// depth is how many messages a queue has ready; none if there is no such queue.
func (s *stage) depth(queue string) int {
	s.t.Helper()
	q, err := s.channel().QueueDeclarePassive(queue, false, false, false, false, nil)
	var refused *amqp.Error
	if errors.As(err, &refused) && refused.Code == amqp.NotFound {
		return 0
	}
	if err != nil {
		s.t.Fatalf("%s: %v", queue, err)
	}
	return q.Messages
}

// drain takes all messages of a queue.
func (s *stage) drain(queue string, each func(amqp.Delivery)) {
	s.t.Helper()
	ch := s.channel()
	for {
		d, ok, err := ch.Get(queue, true)
		if err != nil {
			s.t.Fatalf("%s: %v", queue, err)
		}
		if !ok {
			return
		}
		each(d)
	}
}

// collect reads what the run has left, and deletes its queues.
func (s *stage) collect() facts {
	s.t.Helper()
	f := facts{parked: map[string]string{}, leftOver: map[string]int{}}
	s.query(`SELECT id, kind, key, n, job, needs, cancelled FROM ledger`, func(scan func(...any) error) error {
		var e entry
		var cancelled int
		err := scan(&e.ID, &e.Kind, &e.Key, &e.N, &e.Job, &e.Needs, &cancelled)
		e.cancelled = cancelled == 1
		f.ledger = append(f.ledger, e)
		return err
	})
	s.query(`SELECT consumer, id, early FROM effects ORDER BY seq`, func(scan func(...any) error) error {
		var e effect
		var early int
		err := scan(&e.consumer, &e.id, &early)
		e.early = early == 1
		f.effects = append(f.effects, e)
		return err
	})
	s.query(`SELECT id, COALESCE(job, ''), state FROM bunnicula_outbox`, func(scan func(...any) error) error {
		var r row
		err := scan(&r.id, &r.job, &r.state)
		f.rows = append(f.rows, r)
		return err
	})
	s.drain(s.witness(), func(d amqp.Delivery) {
		m, err := readMessage(d.Body)
		if err != nil || m.ID != d.MessageId {
			s.t.Errorf("a message with the id %q and the body %q: %v", d.MessageId, d.Body, err)
		}
		f.witness = append(f.witness, m)
	})
	queues := []string{s.witness()}
	for _, k := range []kind{work, mail} {
		q := s.prefix + "-" + k.route()
		s.drain(topology.ErrorQueue(q), func(d amqp.Delivery) {
			reason, _ := d.Headers["bunnicula-error"].(string)
			f.parked[d.MessageId] = reason
		})
		queues = append(queues, topology.ErrorQueue(q))
		for _, empty := range []string{q, topology.RetryQueue(q, backoff), topology.QuarantineQueue(q)} {
			if n := s.depth(empty); n > 0 {
				f.leftOver[empty] = n
			}
			queues = append(queues, empty)
		}
	}
	for _, q := range queues {
		if _, err := s.channel().QueueDelete(q, false, false, false); err != nil {
			s.t.Error(err)
		}
	}
	return f
}
