package oncetest

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/outbox"
)

// Faults runs the scripts in which a PostgreSQL or the way to it fails. What open opens dials with
// the Wire and is the database of the test's pgtest.DSN.
func Faults(t *testing.T, open func(t *testing.T, w *Wire) Kind) {
	for name, play := range faults {
		t.Run(name, func(t *testing.T) {
			w := new(Wire)
			play(script{open(t, w), t}, w)
		})
	}
}

var faults = map[string]func(s script, w *Wire){
	"a commit whose answer is lost is an Ack the next time": func(s script, w *Wire) {
		h, runs := counted(writes(consumer.Ack()))
		q := s.queue(h)
		w.cutNext(true)
		run := q.Deliver("order", id("m1")).AssertRetriedFor(monitoring.ReasonRetry, time.Minute)
		s.unknown(run.Settlement.Err)
		amqptest.Eventually(s.t, 10*time.Second, func() bool { return s.count("effects") == 1 }, "it is not committed")
		q.Next(run).AssertAcked()
		if s.wants(1, 1); *runs != 1 {
			s.t.Errorf("the handler ran %d times", *runs)
		}
	},
	"a commit that is lost is none": func(s script, w *Wire) {
		h, runs := counted(writes(consumer.Ack()))
		q := s.queue(h)
		w.cutNext(false)
		run := q.Deliver("order", id("m1")).AssertRetriedFor(monitoring.ReasonRetry, time.Minute)
		s.unknown(run.Settlement.Err)
		s.wants(0, 0)
		q.Next(run).AssertAcked()
		if s.wants(1, 1); *runs != 2 {
			s.t.Errorf("the handler ran %d times", *runs)
		}
	},
	"a backend that is killed under a handler has committed nothing": func(s script, _ *Wire) {
		q := s.queue(first(func(ctx context.Context, tx Tx, m consumer.Message[string]) consumer.Result {
			r := writes(consumer.Ack())(ctx, tx, m)
			s.terminate()
			return r
		}))
		run := q.Deliver("order", id("m1")).AssertRetriedFor(monitoring.ReasonRetry, time.Minute)
		s.wants(0, 0)
		q.Next(run).AssertAcked()
		s.wants(1, 1)
	},
	"of two copies whose backends are killed one is handled": func(s script, _ *Wire) {
		began := make(chan struct{})
		waits := func() bool {
			return s.count("pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == 1
		}
		q := s.queue(first(func(ctx context.Context, tx Tx, m consumer.Message[string]) consumer.Result {
			r := writes(consumer.Ack())(ctx, tx, m)
			close(began)
			amqptest.Eventually(s.t, 10*time.Second, waits, "the other copy does not wait")
			s.terminate()
			return r
		}))
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				run := q.Deliver("order", id("m1"))
				for !run.Result().Acked() {
					run.AssertRetriedFor(monitoring.ReasonRetry, time.Minute)
					run = q.Next(run)
				}
			})
			<-began
		}
		both.Wait()
		s.wants(1, 1)
	},
	"a message costs few questions": func(s script, w *Wire) {
		none, one := s.queue(func(context.Context, Tx, consumer.Message[string]) consumer.Result { return consumer.Ack() }), s.queue(writes(consumer.Ack()))
		s.row("row", outbox.Sent, "")
		s.row("next", outbox.Held, "row")
		s.row("before", outbox.Sent, "")
		for range 2 { // statements are prepared
			one.Deliver("order", id("before")).AssertAcked()
		}
		for _, test := range []struct {
			what string
			q    *consumertest.Queue
			id   string
			want int64
		}{
			{"a message", none, "m1", 3}, // begin, mark, commit
			{"a message whose handler writes", one, "m2", 4},
			{"a duplicate", one, "m1", 4}, // begin, mark, done, commit
			{"a row of a job", none, "row", 5},
		} {
			before := w.writes.Load()
			test.q.Deliver("order", id(test.id)).AssertAcked()
			if n := w.writes.Load() - before; n != test.want {
				s.t.Errorf("%s costs %d questions, want %d", test.what, n, test.want)
			}
		}
	},
	"no connection is lost to the pool": func(s script, w *Wire) {
		q := s.queue(func(ctx context.Context, tx Tx, m consumer.Message[string]) consumer.Result {
			switch r := writes(consumer.Ack())(ctx, tx, m); m.MessageID {
			case "retry":
				return consumer.Retry(errAPI)
			case "cut":
				w.cutNext(true)
				return r
			case "statement":
				_ = tx.Exec(ctx, "INSERT INTO nowhere VALUES (1)")
				return r
			case "commit":
				_ = tx.Commit()
				return r
			case "panic":
				panic(errAPI)
			default:
				return r
			}
		})
		for _, name := range []string{"retry", "cut", "statement", "commit", "panic", "ack", "ack", "again", "end"} {
			for range 5 { // more than the pool has
				q.Deliver("order", id(name))
			}
		}
		s.exec("ALTER TABLE bunnicula_inbox RENAME TO away")
		for range 5 {
			q.Deliver("order", id("no table")).AssertRetried(time.Minute)
		}
		s.exec("ALTER TABLE away RENAME TO bunnicula_inbox")
		q.Deliver("order", id("last")).AssertAcked()
	},
}

// terminate kills all backends but the one that does it.
func (s script) terminate() {
	s.t.Helper()
	if n := pgtest.Terminate(s.t, pgtest.DSN(s.t), 0); n == 0 {
		s.t.Error("no backend was killed")
	}
	for s.DB.PingContext(context.Background()) != nil { // its idle connections were killed too
	}
}

func (s script) unknown(err error) {
	s.t.Helper()
	if err == nil || !strings.HasPrefix(err.Error(), "outbox.Once: the handler returned Ack, and the commit is not known to have succeeded: ") {
		s.t.Error(err)
	}
}
