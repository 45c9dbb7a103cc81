package outbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/brokertest"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

// slow is a publisher that gets its confirms late, and for one queue none.
type slow struct {
	publishertest.Recorder

	after time.Duration // how late
	never string        // the queue that does not confirm
	tries atomic.Int64  // of messages for that queue
}

type slowConfirmation struct {
	publisher.Confirmation
	done chan struct{}
	err  error // set before done is closed
}

func (c *slowConfirmation) Done() <-chan struct{} { return c.done }
func (c *slowConfirmation) Err() error            { return c.err }

func (s *slow) PublishAsync(ctx context.Context, routingKey string, payload any, opts ...publisher.Option) (publisher.Confirmation, error) {
	c := &slowConfirmation{done: make(chan struct{})}
	if routingKey == s.never {
		s.tries.Add(1)
		context.AfterFunc(ctx, func() {
			c.err = fmt.Errorf("%w: %w", publisher.ErrUnconfirmed, context.Cause(ctx))
			close(c.done)
		})
		return c, nil
	}
	var err error
	if c.Confirmation, err = s.Recorder.PublishAsync(ctx, routingKey, payload, opts...); err != nil {
		return nil, err
	}
	time.AfterFunc(s.after, func() { close(c.done) })
	return c, nil
}

// A queue without its majority takes messages, and confirms none.
func TestAQueueThatDoesNotConfirmHoldsUpNoOtherAndItsRowsNeverFail(t *testing.T) {
	simulated(t, func(t *testing.T, s *simulation) {
		var ids []string
		for i := range 100 {
			ids = append(ids, fmt.Sprint(i))
		}
		s.put("stuck", ids)
		s.put("good", []string{"a", "b"}, outbox.Key("k"))
		s.put("good", []string{"c"})
		p := &slow{never: "stuck"}
		r := s.relay(outbox.RelayConfig{Batch: 20, Publisher: p, MaxAttempts: 2})
		defer stopRelay(t, r)
		time.Sleep(2 * time.Minute)
		if n := len(p.Sent("good")); n != 3 {
			t.Errorf("%d messages for the other queue were published, want 3", n)
		}
		time.Sleep(time.Hour)
		if n := count(t, s.db, `SELECT count(*) FROM bunnicula_outbox WHERE state <> 5`); n != 100 || p.tries.Load() < 1000 {
			t.Errorf("%d rows after %d tries, want 100 that are not failed", n, p.tries.Load())
		}
	})
}

// The rows are another relay's when a process that stood still goes on.
func TestARelayThatStoodStillForLongerThanItsLeasePublishesNothing(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		var f faulty
		db := f.open(t)
		defer func() { _ = db.Close() }()
		box := newBox(t, db, outbox.SQLite)
		put(t, box, db, "orders", []string{"a", "b"})
		stood := make(chan struct{})
		f.commit = func(commit func() error) error { // that of its first take
			f.commit = nil
			err := commit()
			close(stood)
			time.Sleep(21 * time.Second)
			return err
		}
		p := new(slow)
		r := startRelay(t, box, b.Connection(), outbox.RelayConfig{Publisher: p})
		defer stopRelay(t, r)
		<-stood
		time.Sleep(20*time.Second + time.Millisecond)
		var other publishertest.Recorder
		if done, err := box.Flush(t.Context(), &other); err != nil || done.Published != 2 {
			t.Fatalf("%+v, %v", done, err)
		}
		time.Sleep(time.Minute)
		if n := len(p.Messages()); n != 0 {
			t.Errorf("it has published %d messages", n)
		}
	})
}

func TestARelayOnSQLiteWaitsForALongTransactionRatherThanPublishAgain(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		db := bareSQLite(t)
		defer func() { _ = db.Close() }()
		box := newBox(t, db, outbox.SQLite)
		put(t, box, db, "orders", []string{"a", "b"}, outbox.Key("k"))
		p := &slow{after: time.Second}
		r := startRelay(t, box, b.Connection(), outbox.RelayConfig{Publisher: p})
		defer stopRelay(t, r)
		time.Sleep(1500 * time.Millisecond)
		inTx(t, db, func(tx *sql.Tx) error {
			_, err := tx.Exec(`DELETE FROM bunnicula_inbox`)
			time.Sleep(12 * time.Second)
			return err
		})
		time.Sleep(10 * time.Second)
		if n := len(p.Messages()); n != 2 {
			t.Errorf("%d messages were published, want 2", n)
		}
	})
}

func TestARelayIsIdleForLongerThanTheDatabaseAllows(t *testing.T) {
	dsn, err := url.Parse(pgtest.DSN(t))
	if err != nil {
		t.Fatal("the URL of the database")
	}
	query := dsn.Query()
	query.Set("idle_in_transaction_session_timeout", "200")
	dsn.RawQuery = query.Encode()
	db := pgtest.Open(t, dsn.String())
	box := newBox(t, db, outbox.Postgres)
	put(t, box, db, "orders", []string{"a"})
	if f, err := box.Flush(t.Context(), &slow{after: time.Second}); err != nil || f.Published != 1 {
		t.Errorf("%+v, %v", f, err)
	}
}

func TestStopDoesNotWaitForAConnectionOfThePool(t *testing.T) {
	amqptest.Long(t)
	db := pgtest.DB(t)
	db.SetMaxOpenConns(1)
	box := newBox(t, db, outbox.Postgres)
	r := startRelay(t, box, dialed(t), outbox.RelayConfig{Poll: 10 * time.Millisecond})
	waiting := db.Stats().WaitCount
	_ = begin(t, db)
	amqptest.Eventually(t, 10*time.Second, func() bool { return db.Stats().WaitCount > waiting }, "the relay does not wait")
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	began := time.Now()
	if err := r.Stop(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestStopWaitsForNoDatabaseThatDoesNotAnswer(t *testing.T) {
	dsn, err := url.Parse(pgtest.DSN(t))
	if err != nil {
		t.Fatal("the URL of the database")
	}
	proxy := amqptest.NewProxy(t, dsn.Host)
	dsn.Host = proxy.Addr()
	box := newBox(t, pgtest.Open(t, dsn.String()), outbox.Postgres)
	put(t, box, pgtest.DB(t), "orders", []string{"a"})
	p := &slow{after: 300 * time.Millisecond}
	r := startRelay(t, box, dialed(t), outbox.RelayConfig{Publisher: p})
	amqptest.Eventually(t, 10*time.Second, func() bool { return len(p.Messages()) > 0 }, "nothing is published")
	proxy.Freeze()
	defer proxy.Thaw()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	began := time.Now()
	if err := r.Stop(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
}
