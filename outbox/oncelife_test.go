package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/brokertest"
	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/oncetest"
	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// life is two processes that handle the orders of a job, and mails that need them. One dies between
// a commit and its ack.
type life struct {
	t             *testing.T
	broker        *brokertest.Broker
	box           *outbox.Box
	db            *sql.DB
	orders, mails string

	fixed atomic.Bool // order 7 can be handled
	died  atomic.Bool
}

func (l *life) app(name string) *fxtest.App {
	p := l.broker.Process(name)
	spec := func(queue string, h func(context.Context, *sql.Tx, consumer.Message[int]) consumer.Result) func() consumer.Spec {
		return func() consumer.Spec {
			return consumer.Spec{Queue: queue, Concurrency: 5, Backoff: []time.Duration{time.Second}, Handler: consumer.JSON(outbox.Once(l.box, h))}
		}
	}
	app := fxtest.New(l.t, fx.NopLogger, p.Option(), connection.Module, consumer.Module, outbox.Module,
		fx.Supply(connection.Config{}, l.box, slog.New(slog.DiscardHandler)),
		consumer.Provide(spec(l.orders, func(ctx context.Context, tx *sql.Tx, m consumer.Message[int]) consumer.Result {
			r := l.write(ctx, tx, m)
			switch {
			case m.Payload == 7 && !l.fixed.Load():
				return consumer.Error(errors.New("order 7 is wrong"))
			case m.Payload == 8 && m.Attempt == 1:
				panic("order 8 panics at first")
			case m.Payload == 9 && m.Attempt == 1:
				return consumer.Retry(errors.New("later"))
			case m.Payload == 10 && l.died.CompareAndSwap(false, true):
				p.Kill() // what is written is committed, and the ack is lost
			}
			return r
		})),
		consumer.Provide(spec(l.mails, l.write)),
	)
	app.RequireStart()
	return app
}

func (l *life) write(ctx context.Context, tx *sql.Tx, m consumer.Message[int]) consumer.Result {
	_, err := tx.ExecContext(ctx, `INSERT INTO effects (id) VALUES ('`+m.MessageID+`')`)
	return consumer.ResultOf(err)
}

// put puts n orders, and a mail behind each.
func (l *life) put(n int) {
	l.t.Helper()
	inTx(l.t, l.db, func(tx *sql.Tx) error {
		var errs []error
		for i := range n {
			order := fmt.Sprint("order-", i)
			errs = append(errs,
				l.box.Put(context.Background(), tx, l.orders, i, outbox.ID(order), outbox.Job("import"), outbox.Key(fmt.Sprint(i%5))),
				l.box.Put(context.Background(), tx, l.mails, i, outbox.ID("mail-for-"+order), outbox.Job("import"), outbox.After(order)))
		}
		return errors.Join(errs...)
	})
	l.box.Kick()
}

func (l *life) wantJob(want outbox.JobStatus) {
	l.t.Helper()
	want.Name = "import"
	if got, err := l.box.Job(context.Background(), "import"); err != nil || got != want {
		l.t.Errorf("the job is %+v, %v; want %+v", got, err, want)
	}
}

func (l *life) live() {
	const n = 30
	t, b := l.t, l.broker
	one, two := l.app("one"), l.app("two")
	l.put(n)
	for i := range n { // a publisher that was not sure
		if err := b.Publisher().Publish(t.Context(), l.orders, i, publisher.MessageID(fmt.Sprint("order-", i))); err != nil {
			t.Fatal(err)
		}
	}
	handled := func() bool {
		return count(t, l.db, `SELECT COUNT(*) FROM effects`) == 2*(n-1) && b.Status(l.orders).Parked > 0
	}
	b.Until(time.Minute, "all but order 7 are handled", handled)
	b.Settle(time.Minute, l.orders, l.mails)
	l.wantJob(outbox.JobStatus{Done: 2 * (n - 1), Parked: 1, Held: 1})
	if !l.died.Load() {
		t.Error("no process died")
	}

	l.fixed.Store(true)
	b.Redrive(l.orders)
	b.Until(time.Minute, "the mail of order 7 is handled", func() bool { return count(t, l.db, `SELECT COUNT(*) FROM effects`) == 2*n })
	b.Settle(time.Minute, l.orders, l.mails)
	b.Want(l.orders, brokertest.Status{})
	l.wantJob(outbox.JobStatus{Done: 2 * n})
	if ids := count(t, l.db, `SELECT COUNT(DISTINCT id) FROM effects`); ids != 2*n {
		t.Errorf("%d of %d messages have an effect", ids, 2*n)
	}
	one.RequireStop()
	two.RequireStop()
}

func TestEffectsAreWrittenOnceAndJobsAreCompleteWhateverDies(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		db := bareSQLite(t)
		defer func() { _ = db.Close() }() // its goroutine belongs to the bubble
		kind := kindOf(t, db, outbox.SQLite)
		(&life{t: t, broker: b, box: kind.Box, db: db, orders: "orders", mails: "mails"}).live()
	})
}

func TestEffectsAreWrittenOnceWithPostgreSQLAndARealBroker(t *testing.T) {
	amqptest.Long(t)
	brokertest.RunReal(t, amqptest.URL(t), func(t *testing.T, b *brokertest.Broker) {
		db := pgtest.DB(t)
		if _, err := db.ExecContext(t.Context(), oncetest.Effects); err != nil {
			t.Fatal(err)
		}
		l := &life{t: t, broker: b, box: newBox(t, db, outbox.Postgres), db: db, orders: amqptest.Queue(t, "orders"), mails: amqptest.Queue(t, "mails")}
		l.live()
	})
}
