//go:build unix

package faults_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

// messageScenarios have messages of other publishers.
var messageScenarios = []scenario{
	{
		name:   "headers-malformed",
		breaks: "messages have values of every type, wrong ones and huge ones, in the headers that consumers and brokers read, while connections are cut",
		run: func(s *stage) {
			s.workers(1)
			s.stream(30, usual)
			m := mix{}
			for i := range 2 * len(oddValues) {
				m[fmt.Sprint("odd ", i)], m[fmt.Sprint("odd-error ", i)] = 1, 1
			}
			s.publishCrafted(m)
			s.fault(func() { s.workerLinks().cut() })
			s.publishCrafted(m) // once more, for a worker that has lost a session
			s.finish()
			for _, l := range s.lanes {
				for _, p := range l.parcels {
					l.checkOurs(p)
				}
			}
		},
	},
	{
		name:   "headers-huge",
		breaks: "messages have headers that fill a frame (128 KiB), as many as the client reads (8192), or nested as deep as it reads (32)",
		run: func(s *stage) {
			s.workers(1)
			s.stream(30, mix{"ack": 1})
			s.publishCrafted(mix{
				"filled 100000": 2, "filled 120000": 2, "filled 126000": 2, "full 129500": 2, "full 130500": 2, "full-ack 130500": 2,
				"typed image/png": 2, "typed ": 1, "nested 30": 1, "nested 31": 1, "nested 32": 1,
				"many 8100": 1, "many-error 8100": 1,
			})
		},
	},
	{
		name:   "headers-too-many",
		breaks: "messages have so many headers that with those of a copy they would be more than the client reads (8192)",
		run: func(s *stage) {
			s.workers(1)
			s.publishCrafted(mix{"many 8160": 1, "many-error 8160": 1, "many 8185": 1, "many-error 8185": 1, "ack": 20, "retry 1": 5})
		},
	},
	{
		name:   "bodies-giant",
		breaks: "messages are as large as a publisher sends them (16 MiB, RabbitMQ 4's own limit), and connections are cut while they are on their way",
		// Each message is decoded and compared byte by byte, with the race detector.
		within: 3 * time.Minute, recovery: 15 * time.Second,
		run: func(s *stage) {
			s.workers(2)
			s.stream(30, mix{"ack": 1})
			s.publish(mix{"giant": 2, "giant-error": 1, "giant-over": 1})
			s.handlingOf("giant", 1)
			s.fault(func() { s.allLinks().cut() })
			s.finish()
			for _, l := range s.lanes {
				for _, p := range l.account.all() {
					if over := p.do == "giant-over"; over != errors.Is(p.err, publisher.ErrTooLarge) {
						s.t.Errorf("%s: a message (%s) was published with %v", l.kind, p.do, p.err)
					}
				}
			}
		},
	},
	{
		name:   "properties-foreign",
		breaks: "messages come with another user's id, CC and BCC, an expiration and a priority, while connections are cut; some expire",
		on:     victim,
		run:    propertiesForeign,
	},
	{
		name:   "unreadable",
		breaks: "a message that ends the connection of whoever receives it, among 60 others, with another consumer in the same process",
		types:  quorumOnly, queues: 2, within: unreadableOver,
		spec: consumer.Spec{Prefetch: 40, MaxCrashes: 5, Arguments: unreadableLimit},
		run:  unreadableAmong(60),
	},
	{
		name:   "unreadable-single-active",
		breaks: "the same for a single active consumer",
		types:  quorumOnly, queues: 2, within: unreadableOver,
		spec: consumer.Spec{Prefetch: 40, SingleActive: true, Arguments: unreadableLimit},
		run:  unreadableAmong(60),
	},
}

// checkOurs checks that our headers of a parked message have the types with which we write them,
// whatever the message had before.
func (l *lane) checkOurs(p parcel) {
	l.t.Helper()
	if _, ok := p.Headers[wire.History]; p.role != topology.RoleError || !ok {
		return
	}
	history, _ := p.Headers[wire.History].(string)
	var past []struct{ Reason string }
	if err := json.Unmarshal([]byte(history), &past); err != nil || len(past) == 0 || past[len(past)-1].Reason != string(reasonOf(p)) || len(past) > 10 {
		l.t.Errorf("%s: %s is parked with the history %.200q", l.kind, p.MessageId, history)
	}
	for _, name := range []string{wire.Error, wire.ErrorGroup, wire.FirstFailedAt, wire.FailedAt, wire.Queue, wire.Consumer, wire.App, wire.Host} {
		if _, ok := p.Headers[name].(string); !ok {
			l.t.Errorf("%s: %s is parked with %s %.200v", l.kind, p.MessageId, name, p.Headers[name])
		}
	}
	if n, ok := p.Headers[wire.RetryAttempts].(int64); !ok || n < 0 || n > int64(l.maxRetries()) {
		l.t.Errorf("%s: %s is parked with %v attempts", l.kind, p.MessageId, p.Headers[wire.RetryAttempts])
	}
}

// propertiesForeign publishes as another client would.
func propertiesForeign(s *stage) {
	const each = 5
	s.user(stranger, "^$", ".*", "^$")
	s.each(func(l *lane) {
		err := l.direct.with(func(ch *amqp.Channel) error {
			for _, queue := range carbonCopies(l.id) {
				if _, err := ch.QueueDeclare(queue, true, false, false, false, nil); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			s.t.Errorf("%s: declare: %v", l.kind, err)
		}
		by := &direct{urls: s.as(stranger), name: l.connectionName("stranger")}
		defer by.close()
		s.craft(l, by, mix{"expire": each})
		s.holdsIn(l, topology.RoleError, each) // no worker runs yet
		s.craft(l, by, mix{"foreign-retry": each, "foreign-error": each, "foreign-always": each})
		s.craft(l, l.direct, mix{"own-error": each})
	})
	s.workers(2)
	s.stream(30, mix{"ack": 1})
	s.fault(func() { s.workerLinks().cut() })
	s.finish()
	for _, l := range s.lanes {
		for _, p := range l.parcels {
			l.checkProperties(p)
		}
		for _, queue := range carbonCopies(l.id) {
			// One copy of each message that did not expire, whatever became of it.
			if n, _, err := l.direct.look(queue); err != nil || n != 3*each {
				s.t.Errorf("%s: %s has %d messages (%v), want %d", l.kind, queue, n, err, 3*each)
			}
		}
		if err := l.direct.delete(carbonCopies(l.id)...); err != nil {
			s.t.Error(err)
		}
		l.direct.close()
	}
}

// checkProperties checks which properties a parked message of propertiesForeign has kept.
func (l *lane) checkProperties(p parcel) {
	l.t.Helper()
	n, _ := number(l.id, p.MessageId)
	posting, _ := l.account.get(n)
	user, originally := "", stranger
	switch posting.do {
	case "own-error":
		user, originally = ownUser, ownUser
	case "foreign-error", "foreign-always":
	default:
		return
	}
	got := fmt.Sprint(p.UserId, p.Expiration, p.Priority, p.CorrelationId, p.ReplyTo, p.Type, p.AppId, p.Headers["CC"], p.Headers["BCC"],
		p.Headers[wire.OriginalUserID], p.Headers[wire.OriginalExpiration])
	if want := fmt.Sprint(user, "", 9, "correlation", "reply", "type", "app", nil, nil, originally, "60000"); got != want {
		l.t.Errorf("%s: message %d (%s) is parked with %s, want %s", l.kind, n, posting.do, got, want)
	}
}

// unreadableLimit is half of the usual limit, and halves the time too.
var unreadableLimit = map[string]any{"x-delivery-limit": int64(50)}

// unreadableOver is how long it takes at most until an unreadable message is parked.
const unreadableOver = 90 * time.Second

// unreadableAmong publishes the unreadable message in the middle of others, to the first queue.
func unreadableAmong(innocents int) func(s *stage) {
	return func(s *stage) {
		s.publishTo(0, mix{"ack": innocents / 2})
		s.each(func(l *lane) {
			if err := l.direct.publish(l.specs[0].Queue, unreadable()); err != nil {
				s.t.Errorf("%s: %v", l.kind, err)
			}
		})
		s.publishTo(0, mix{"ack": innocents / 2})
		began := time.Now()
		s.workers(1)
		s.stream(80, mix{"ack": 1})
		s.faults.Add(1)
		s.each(func(l *lane) {
			if !l.await(unreadableOver, func() bool {
				ready, _, err := l.direct.look(topology.ErrorQueue(l.specs[0].Queue))
				return err == nil && ready > 0
			}) {
				s.t.Errorf("%s: the message is not parked after %s", l.kind, unreadableOver)
			}
			s.t.Logf("%s: parked after %s", l.kind, time.Since(began).Round(100*time.Millisecond))
			// No client can read it, so it is only counted.
			if n, err := l.direct.purge(topology.ErrorQueue(l.specs[0].Queue)); err != nil || n != 1 {
				s.t.Errorf("%s: %d messages are parked (%v), want 1", l.kind, n, err)
			}
		})
		s.finish()
		// After the first loss the consumer takes one message at a time, so no others are given
		// back.
		for _, r := range s.rows {
			if most := 2 * s.scenario.spec.Prefetch; r.Duplicates > most {
				s.t.Errorf("%s: %d duplicates, want %d at most, what both consumers held at first", r.Queue, r.Duplicates, most)
			}
		}
		for _, l := range s.lanes {
			if longest := l.stallOf(l.specs[1].Queue); longest > 5*time.Second {
				s.t.Errorf("%s: the other consumer began nothing for %s", l.kind, longest)
			}
			// A consumer that has met the message continues on a dedicated connection.
			if n := l.count(`msg="connection lost"`, "purpose=consume "); n > 2 {
				s.t.Errorf("%s: the connection that the consumers share was lost %d times, want twice at most", l.kind, n)
			}
		}
	}
}

// unreadable returns a message whose delivery ends the connection of every client of this library.
func unreadable() amqp.Publishing {
	nested := amqp.Table{"end": "here"}
	for range 40 {
		nested = amqp.Table{"t": nested}
	}
	return amqp.Publishing{Headers: nested, Body: []byte("unreadable"), DeliveryMode: amqp.Persistent}
}

// stallOf returns the longest stall of one queue's consumers.
func (l *lane) stallOf(queue string) time.Duration {
	postings := l.account.all()
	entries := slices.DeleteFunc(slices.Clone(l.poll()), func(e entry) bool { return e.N >= len(postings) || postings[e.N].queue != queue })
	return stall(postings, entries)
}

// purge deletes the ready messages of a queue, and returns how many there were.
func (d *direct) purge(queue string) (n int, err error) {
	err = d.with(func(ch *amqp.Channel) error {
		n, err = ch.QueuePurge(queue, false)
		return err
	})
	return n, err
}
