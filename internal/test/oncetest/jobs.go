package oncetest

import (
	"context"
	"errors"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
)

var jobs = map[string]func(s script){
	"a row of a job is done with the commit, and those that need it are released": func(s script) {
		s.row("a", outbox.Sent, "")
		s.row("b", outbox.Held, "a")
		s.row("c", outbox.Held, "b")
		q := s.queue(first(writes(consumer.Retry(errAPI))))
		run := q.Deliver("order", id("a")).AssertRetried(time.Minute)
		s.wantStates("a sent, b held, c held")
		q.Next(run).AssertAcked()
		s.wantStates("a done, b waiting, c held")
		s.wantKick(true)
		q.Deliver("order", id("c"))
		s.wantStates("a done, b waiting, c held") // c was never published: its message is another's
		q.Deliver("order", id("b")).AssertAcked()
		s.wantStates("a done, b done, c waiting")
		s.wantKick(true)
		s.wants(3, 3)
		q.Deliver("order", id("none")).AssertAcked()
		s.wantKick(false)
	},
	"a row is done whatever its relay has come to": func(s script) {
		for i, state := range []outbox.State{outbox.Waiting, outbox.Sent, outbox.Done, outbox.Parked, outbox.Failed, 6} {
			name := string(rune('a' + i))
			s.row(name, state, "")
			s.queue(writes(consumer.Ack())).Deliver("order", id(name)).AssertAcked()
		}
		s.wantStates("a done, b done, c done, d done, e done, f done")
	},
	"what a handler puts is put with what it writes, or not at all": func(s script) {
		s.row("a", outbox.Sent, "")
		runs := 0
		q := s.queue(func(ctx context.Context, tx Tx, m consumer.Message[string]) consumer.Result {
			runs++
			for _, opts := range [][]publisher.Option{
				{outbox.ID("b"), outbox.Job("import"), outbox.After("a")}, {outbox.ID("c"), publisher.Delay(time.Hour)},
			} {
				if err := tx.Put(ctx, "mails", "mail", opts...); err != nil {
					return consumer.Error(err)
				}
			}
			if err := tx.Put(ctx, "mails", "mail", outbox.ID("b")); !errors.Is(err, outbox.ErrDuplicate) {
				return consumer.Error(errors.New("no duplicate"))
			}
			if err := tx.Put(ctx, "", "mail"); err == nil {
				return consumer.Error(errors.New("an empty queue is no error"))
			}
			if runs == 1 {
				return writes(consumer.Retry(errAPI))(ctx, tx, m)
			}
			return writes(consumer.Ack())(ctx, tx, m)
		})
		run := q.Deliver("order", id("a")).AssertError(errAPI)
		s.wantStates("a sent")
		s.wantKick(false)
		q.Next(run).AssertAcked()
		s.wantStates("a done, b waiting, c waiting")
		s.wantKick(true)
		s.wants(1, 1)
		s.queue(func(ctx context.Context, tx Tx, _ consumer.Message[string]) consumer.Result {
			return consumer.ResultOf(tx.Put(ctx, "mails", "mail"))
		}).Deliver("order").AssertAcked()
		s.wantKick(true)
	},
	"a message that was handled before has its row done": func(s script) {
		q := s.queue(writes(consumer.Ack()))
		q.Deliver("order", id("a")).AssertAcked()
		s.row("a", outbox.Sent, "")
		s.row("b", outbox.Held, "a")
		q.Deliver("order", id("a")).AssertAcked()
		s.wantStates("a done, b waiting")
		s.wantKick(true)
		q.Deliver("order", id("a")).AssertAcked()
		s.wantKick(false)
		s.wants(1, 1)
	},
	"a row is parked, and done when its message was redriven": func(s script) {
		s.row("a", outbox.Sent, "")
		s.row("b", outbox.Sent, "")
		m := s.Box.Monitor()
		ctx := m.Begin(context.Background(), monitoring.Delivery{})
		for _, action := range []monitoring.Action{monitoring.Acked, monitoring.Retried, monitoring.Snoozed, monitoring.Interrupted} {
			m.End(ctx, monitoring.Delivery{MessageID: "b"}, monitoring.Outcome{Action: action})
		}
		parked := monitoring.Outcome{Action: monitoring.Parked, Reason: monitoring.ReasonError}
		m.End(ctx, monitoring.Delivery{MessageID: "a"}, parked)
		m.End(ctx, monitoring.Delivery{MessageID: "b", MessageIDGiven: true}, parked)
		m.End(ctx, monitoring.Delivery{MessageID: "nobody's"}, parked)
		m.End(ctx, monitoring.Delivery{MessageID: "\x00"}, parked)
		s.wantStates("a parked, b sent")
		s.queue(writes(consumer.Ack())).Deliver("order", id("a"), redriven()).AssertAcked()
		s.wantStates("a done, b sent")
		m.End(ctx, monitoring.Delivery{MessageID: "a"}, parked)
		s.wantStates("a done, b sent") // another consumer of it has parked it
	},
	"only a row that may be published is parked": func(s script) {
		for i, state := range []outbox.State{outbox.Waiting, outbox.Held, outbox.Sent, outbox.Done, outbox.Failed, 6} {
			name := string(rune('a' + i))
			s.row(name, state, "")
			s.Box.Monitor().End(context.Background(), monitoring.Delivery{MessageID: name}, monitoring.Outcome{Action: monitoring.Parked})
		}
		s.exec("UPDATE bunnicula_outbox SET job = NULL, id = 'g' WHERE id = 'a'")
		s.Box.Monitor().End(context.Background(), monitoring.Delivery{MessageID: "g"}, monitoring.Outcome{Action: monitoring.Parked})
		s.wantStates("b held, c parked, d done, e failed, f parked, g parked")
	},
	"a job is counted by what became of its rows": func(s script) {
		if _, err := s.Box.Job(context.Background(), "import"); !errors.Is(err, outbox.ErrUnknown) {
			s.t.Errorf("a job without rows: %v", err)
		}
		if _, err := s.Box.Job(context.Background(), "\x00"); !errors.Is(err, outbox.ErrUnknown) {
			s.t.Errorf("a job that cannot be: %v", err)
		}
		for i, state := range []outbox.State{outbox.Done, outbox.Waiting, outbox.Held, outbox.Sent, outbox.Parked, outbox.Failed, 6} {
			s.row(string(rune('a'+i)), state, "")
			job, err := s.Box.Job(context.Background(), "import")
			if err != nil || job.Rows() != i+1 || job.Complete() != (i == 0) {
				s.t.Errorf("%+v, %v", job, err)
			}
		}
		want := outbox.JobStatus{Name: "import", Waiting: 2, Held: 1, Sent: 1, Done: 1, Parked: 1, Failed: 1}
		if job, err := s.Box.Job(context.Background(), "import"); err != nil || job != want {
			s.t.Errorf("%+v, %v", job, err)
		}
	},
}

// wantKick asserts whether the relays of the Box were told to look.
func (s script) wantKick(want bool) {
	s.t.Helper()
	if s.Kicked == nil {
		return
	}
	if got := s.Kicked(); got != want {
		s.t.Errorf("the relays were told to look: %t, want %t", got, want)
	}
}
