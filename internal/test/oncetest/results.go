package oncetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

var errAPI = errors.New("the API is down")

var results = map[string]func(s script){
	"what a handler writes is written once however often its message comes": func(s script) {
		h, runs := counted(writes(consumer.Ack()))
		q := s.queue(h)
		run := q.Deliver("order", id("m1")).AssertAcked()
		q.Redeliver(run).AssertAcked()
		q.Deliver("order", id("m1")).AssertAcked()
		s.wants(1, 1)
		q.Deliver("order", id("m2")).AssertAcked()
		s.wants(2, 2)
		if *runs != 2 {
			s.t.Errorf("the handler ran %d times for two messages", *runs)
		}
	},
	"two consumers of one message both handle it": func(s script) {
		for _, name := range []string{"mails", "invoices", "mails"} {
			spec := consumer.Spec{Name: name, Queue: "orders", Handler: s.Once(writes(consumer.Ack()))}
			s.queueOf(spec).Deliver("order", id("m1")).AssertAcked()
		}
		s.wants(2, 2)
	},
	"only an Ack commits": func(s script) {
		for name, h := range map[string]Handle{
			"Retry": writes(consumer.Retry(errAPI)), "RetryAfter": writes(consumer.RetryAfter(time.Hour, errAPI)),
			"Timeout": writes(consumer.Timeout(errAPI)), "Snooze": writes(consumer.Snooze(time.Hour)),
			"Error": writes(consumer.Error(errAPI)), "zero": writes(consumer.Result{}),
			"panic": func(ctx context.Context, tx Tx, m consumer.Message[string]) consumer.Result {
				writes(consumer.Ack())(ctx, tx, m)
				panic(errAPI)
			},
			"Goexit": func(ctx context.Context, tx Tx, m consumer.Message[string]) consumer.Result {
				writes(consumer.Ack())(ctx, tx, m)
				runtime.Goexit()
				return consumer.Ack()
			},
		} {
			h, runs := counted(first(h))
			q := s.queue(h)
			deliverApart(q, "m-"+name)
			s.wants(0, 0)
			q.Deliver("order", id("m-"+name)).AssertAcked()
			s.wants(1, 1)
			if *runs != 2 {
				s.t.Errorf("%s: the handler ran %d times", name, *runs)
			}
			s.exec("DELETE FROM effects")
			s.exec("DELETE FROM bunnicula_inbox")
		}
	},
	"a handler that outlives its context commits nothing": func(s script) {
		q := s.queueOf(consumer.Spec{Queue: "orders", Timeout: 200 * time.Millisecond, Handler: s.Once(first(
			func(ctx context.Context, tx Tx, m consumer.Message[string]) consumer.Result {
				r := writes(consumer.Ack())(ctx, tx, m)
				<-ctx.Done()
				return r
			}))})
		run := q.Deliver("order", id("m1")).AssertRetriedFor(monitoring.ReasonTimeout, time.Minute)
		s.wants(0, 0)
		q.Next(run).AssertAcked()
		s.wants(1, 1)
	},
	"a stop in the middle commits nothing": func(s script) {
		q := s.queue(first(func(ctx context.Context, tx Tx, m consumer.Message[string]) consumer.Result {
			r := writes(consumer.Retry(errAPI))(ctx, tx, m)
			<-ctx.Done()
			return r
		}))
		run := q.Deliver("order", id("m1"), consumertest.StopAfter(200*time.Millisecond)).AssertInterrupted()
		s.wants(0, 0)
		q.Next(run).AssertAcked()
		s.wants(1, 1)
	},
	"a handler that commits itself is told, and what it wrote is written once": func(s script) {
		ends := s.ends("COMMIT", func(tx Tx) error { return tx.Commit() })
		for name, end := range ends {
			h, runs := counted(ending(writes(consumer.Ack()), end))
			q := s.queue(h)
			run := q.Deliver("order", id(name)).AssertRetriedFor(monitoring.ReasonRetry, time.Minute)
			s.ended(run, name)
			q.Next(run).AssertAcked()
			if *runs != 1 {
				s.t.Errorf("%s: the handler ran %d times", name, *runs)
			}
		}
		s.wants(len(ends), len(ends))
	},
	"a handler that rolls back itself is told, and its message is not acked": func(s script) {
		for name, end := range s.ends("ROLLBACK", func(tx Tx) error { return tx.Rollback() }) {
			q := s.queue(ending(writes(consumer.Ack()), end))
			run := q.Deliver("order", id(name)).AssertRetriedFor(monitoring.ReasonRetry, time.Minute)
			s.ended(run, name)
		}
		s.wants(0, 0)
		s.queue(writes(consumer.Ack())).Deliver("order", id("next")).AssertAcked()
		s.wants(1, 1)
	},
	"an error that the handler does not tell is not acked": func(s script) {
		if s.SQLite {
			return // there a statement that fails leaves the others as they are
		}
		q := s.queue(first(func(ctx context.Context, tx Tx, m consumer.Message[string]) consumer.Result {
			_ = tx.Exec(ctx, "INSERT INTO nowhere VALUES (1)")
			return consumer.Ack()
		}))
		run := q.Deliver("order", id("m1")).AssertRetriedFor(monitoring.ReasonRetry, time.Minute)
		s.wants(0, 0)
		q.Next(run).AssertAcked()
		s.wants(1, 1)
	},
}

// ends returns the ways in which a handler can end its transaction.
func (s script) ends(statement string, method func(tx Tx) error) map[string]func(ctx context.Context, tx Tx) error {
	all := map[string]func(ctx context.Context, tx Tx) error{
		"a method": func(_ context.Context, tx Tx) error { return method(tx) },
		"SQL":      func(ctx context.Context, tx Tx) error { return tx.Exec(ctx, statement) },
	}
	if s.Blind {
		delete(all, "SQL")
	}
	return all
}

// ending is h, which ends its transaction itself.
func ending(h Handle, end func(ctx context.Context, tx Tx) error) Handle {
	return func(ctx context.Context, tx Tx, m consumer.Message[string]) consumer.Result {
		r := h(ctx, tx, m)
		if err := end(ctx, tx); err != nil {
			return consumer.Error(err)
		}
		return r
	}
}

// ended asserts the error of a handler that has ended the transaction itself.
func (s script) ended(run *consumertest.Run, name string) {
	s.t.Helper()
	err := run.Settlement.Err
	if name == "a method" && (!errors.Is(err, sql.ErrTxDone) || !strings.Contains(err.Error(), "the handler has ended the transaction, which Once does")) {
		s.t.Errorf("%s: %v", name, err)
	}
	if !strings.HasPrefix(fmt.Sprint(err), "outbox.Once: the handler") {
		s.t.Errorf("%s: %v", name, err)
	}
}

// deliverApart delivers a message in a goroutine that may end with its handler.
func deliverApart(q *consumertest.Queue, name string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		q.Deliver("order", id(name))
	}()
	<-done
}
