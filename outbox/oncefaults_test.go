package outbox_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/outbox/internal/tx"
)

// writing is a handler that writes one effect.
func writing(ctx context.Context, tx *sql.Tx, m consumer.Message[string]) consumer.Result {
	_, err := tx.ExecContext(ctx, `INSERT INTO effects (id) VALUES ('`+m.MessageID+`')`)
	return consumer.ResultOf(err)
}

func TestACommitThatFailsIsNoAck(t *testing.T) {
	for name, test := range map[string]struct {
		commit    func(commit func() error) error
		committed bool
	}{
		"it is rolled back": {commit: func(func() error) error { return errDisk }},
		"it has committed, and the answer is lost": {committed: true, commit: func(commit func() error) error {
			return errors.Join(commit(), errDisk)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var f faulty
			kind := kindOf(t, f.open(t), outbox.SQLite)
			runs := 0
			q := consumertest.New(t, consumer.Spec{Queue: "orders", Handler: consumer.JSON(outbox.Once(kind.Box,
				func(ctx context.Context, tx *sql.Tx, m consumer.Message[string]) consumer.Result {
					runs++
					return writing(ctx, tx, m)
				}))})
			f.commit = func(commit func() error) error {
				err := test.commit(commit)
				if !test.committed {
					// so the connection ends, and its transaction
					err = errors.Join(err, driver.ErrBadConn)
				}
				return err
			}
			run := q.Deliver("order").AssertRetriedFor(monitoring.ReasonRetry, time.Minute).AssertError(errDisk)
			if err := run.Settlement.Err.Error(); !strings.HasPrefix(err, "outbox.Once: the handler returned Ack, and the commit is not known to have succeeded: ") {
				t.Error(err)
			}
			f.commit = nil
			q.Next(run).AssertAcked()
			want := map[bool]int{false: 2, true: 1}[test.committed]
			if n := count(t, kind.DB, "SELECT COUNT(*) FROM effects"); n != 1 || runs != want {
				t.Errorf("%d effects of %d runs, want 1 of %d", n, runs, want)
			}
		})
	}
}

// database/sql knows of the end of a transaction's context a moment after the handler, and would
// commit before that.
func TestNothingIsCommittedAfterTheEndOfTheContext(t *testing.T) {
	kind := kindOf(t, sqlite(t), outbox.SQLite)
	ctx, cancel := context.WithCancel(t.Context())
	var own *sql.Tx
	begin := func(context.Context) (tx.Unit, error) {
		var err error
		own, err = kind.DB.BeginTx(t.Context(), nil) // it does not know of ctx
		return tx.Begun(own), err
	}
	d := consumer.Delivery{Consumer: "orders", MessageID: "m", Timestamp: time.Now(), Since: time.Now()}
	r := kind.Box.OnceInside(ctx, d, begin, func() consumer.Result {
		defer cancel()
		_, err := own.ExecContext(ctx, `INSERT INTO effects (id) VALUES ('m')`)
		return consumer.ResultOf(err)
	})
	if !r.Retried() || !errors.Is(r.Err(), context.Canceled) {
		t.Errorf("the result is %v", r)
	}
	if n := count(t, kind.DB, "SELECT COUNT(*) FROM effects"); n != 0 {
		t.Errorf("%d effects", n)
	}
}

func TestADatabaseThatIsAwayIsNoReasonToLoseAMessage(t *testing.T) {
	var f faulty
	kind := kindOf(t, f.open(t), outbox.SQLite)
	q := consumertest.New(t, consumer.Spec{Queue: "orders", Handler: consumer.JSON(outbox.Once(kind.Box, writing))})
	f.begin = func() error { return errDisk }
	run := q.Deliver("order").AssertRetriedFor(monitoring.ReasonRetry, time.Minute).AssertError(errDisk)
	if err := run.Settlement.Err.Error(); !strings.HasPrefix(err, "outbox.Once: begin a transaction: ") {
		t.Error(err)
	}
	f.begin = nil
	q.Next(run).AssertAcked()
	if n := count(t, kind.DB, "SELECT COUNT(*) FROM effects"); n != 1 {
		t.Errorf("%d effects", n)
	}
}

func TestOnceOfNothingIsRefused(t *testing.T) {
	box, err := outbox.New(sqlite(t), outbox.SQLite)
	if err != nil {
		t.Fatal(err)
	}
	for name, h := range map[string]consumer.Handler{
		"no box":     consumer.JSON(outbox.Once(nil, writing)),
		"a zero box": consumer.JSON(outbox.Once(new(outbox.Box), writing)),
		"no handler": consumer.JSON(outbox.Once[string](box, nil)),
	} {
		if _, err := consumer.New(nil, consumer.Spec{Queue: "orders", Handler: h}, nil, nil); err == nil || !strings.Contains(err.Error(), "Handler is nil") {
			t.Errorf("%s: %v", name, err)
		}
	}
	spec := consumer.Spec{Queue: "orders", Handler: consumer.JSON(outbox.Once(box, writing)), Use: []consumer.Middleware{(*outbox.Box)(nil).Restore}}
	if _, err := consumer.New(nil, spec, nil, nil); err == nil || !strings.Contains(err.Error(), "outbox: the Box of Restore is nil") {
		t.Error(err)
	}
}

func TestRestoreGivesTheHandlerTheContextThatWasCaptured(t *testing.T) {
	type key struct{}
	restore := func(ctx context.Context, headers map[string]any) context.Context {
		request, ok := headers["request"]
		if !ok {
			return nil
		}
		return context.WithValue(ctx, key{}, request)
	}
	for name, test := range map[string]struct {
		cfg  outbox.Config
		opts []consumertest.Option
		want any
	}{
		"a header":      {outbox.Config{Restore: restore}, []consumertest.Option{consumertest.Header("request", "r7")}, "r7"},
		"none":          {outbox.Config{Restore: restore}, nil, nil},
		"no Restore":    {outbox.Config{}, []consumertest.Option{consumertest.Header("request", "r7")}, nil},
		"a nil context": {outbox.Config{Restore: func(context.Context, map[string]any) context.Context { return nil }}, nil, nil},
	} {
		box, err := outbox.New(sqlite(t), outbox.SQLite, test.cfg)
		if err != nil {
			t.Fatal(err)
		}
		var got any
		q := consumertest.New(t, consumer.Spec{Queue: "orders", Use: []consumer.Middleware{box.Restore},
			Handler: func(ctx context.Context, _ consumer.Delivery) consumer.Result {
				got = ctx.Value(key{})
				if _, bounded := ctx.Deadline(); !bounded {
					t.Errorf("%s: the context has no deadline", name)
				}
				return consumer.Ack()
			}})
		q.Deliver("order", test.opts...).AssertAcked()
		if got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
