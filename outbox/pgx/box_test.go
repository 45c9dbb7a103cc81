package pgxoutbox_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/outbox"
	pgxoutbox "github.com/bunnicula-go/bunnicula/outbox/pgx"
)

const secret = "correct-horse"

// nowhere is a pool of a server that is not there.
func nowhere(t *testing.T) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(context.Background(), "postgres://app:"+secret+"@127.0.0.1:1/app")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func unconnected(t *testing.T) *pgxoutbox.Box {
	t.Helper()
	box, err := pgxoutbox.New(nowhere(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() })
	return box
}

func acked(context.Context, pgx.Tx, consumer.Message[string]) consumer.Result { return consumer.Ack() }

func TestABoxOfNothingIsRefused(t *testing.T) {
	if _, err := pgxoutbox.New(nil); err == nil || err.Error() != "outbox: the pool is nil" {
		t.Error(err)
	}
	if _, err := pgxoutbox.New(nowhere(t), outbox.Config{MaxBody: -1}); err == nil || !strings.Contains(err.Error(), "MaxBody is -1") {
		t.Error(err)
	}
	for name, h := range map[string]consumer.Handler{
		"no box":     consumer.JSON(pgxoutbox.Once(nil, acked)),
		"a zero box": consumer.JSON(pgxoutbox.Once(new(pgxoutbox.Box), acked)),
		"no handler": consumer.JSON(pgxoutbox.Once[string](unconnected(t), nil)),
	} {
		if _, err := consumer.New(nil, consumer.Spec{Queue: "orders", Handler: h}, nil, nil); err == nil || !strings.Contains(err.Error(), "Handler is nil") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestATransactionThatIsNilIsRefused(t *testing.T) {
	box := unconnected(t)
	for name, err := range map[string]error{
		"put": box.Put(t.Context(), nil, "emails", "mail"), "cancel": box.Cancel(t.Context(), nil, "m1"),
		"put in one of the pool": box.Put(t.Context(), (*pgxpool.Tx)(nil), "emails", "mail"),
	} {
		if err == nil || !strings.HasSuffix(err.Error(), "the transaction is nil") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestADatabaseThatIsAwayIsNoReasonToLoseAMessage(t *testing.T) {
	q := consumertest.New(t, consumer.Spec{Queue: "orders", Handler: consumer.JSON(pgxoutbox.Once(unconnected(t), acked))})
	run := q.Deliver("order").AssertRetriedFor(monitoring.ReasonRetry, time.Minute)
	if err := run.Settlement.Err.Error(); !strings.HasPrefix(err, "outbox.Once: begin a transaction: ") || strings.Contains(err, secret) {
		t.Error(err)
	}
}
