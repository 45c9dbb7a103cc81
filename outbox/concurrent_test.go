package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

// begin begins a transaction that is rolled back at the end, unless the test commits it.
func begin(t *testing.T, db *sql.DB) *sql.Tx {
	t.Helper()
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tx.Rollback() })
	return tx
}

func commit(t *testing.T, tx *sql.Tx) {
	t.Helper()
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// waits runs do, which is to wait for a lock until release is called, and returns its error.
func waits(t *testing.T, db *sql.DB, do func() error, release func()) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- do() }()
	amqptest.Eventually(t, 10*time.Second, func() bool {
		return count(t, db, `SELECT COUNT(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE a.datname = current_database() AND NOT l.granted`) > 0 || len(done) > 0
	}, "it does not wait")
	if len(done) > 0 {
		t.Errorf("it did not wait: %v", <-done)
		return nil
	}
	release()
	return <-done
}

func TestADuplicateOfATransactionThatIsOpenIsKnownWhenThatHasEnded(t *testing.T) {
	db := pgtest.DB(t)
	box := newBox(t, db, outbox.Postgres)
	for name, committed := range map[string]bool{"committed": true, "rolled back": false} {
		t.Run(name, func(t *testing.T) {
			one, two := begin(t, db), begin(t, db)
			put := func(tx *sql.Tx) error { return box.Put(t.Context(), tx, "q", 1, outbox.ID(name)) }
			if err := put(one); err != nil {
				t.Fatal(err)
			}
			err := waits(t, db, func() error { return put(two) }, func() {
				if committed {
					commit(t, one)
				} else if err := one.Rollback(); err != nil {
					t.Fatal(err)
				}
			})
			if errors.Is(err, outbox.ErrDuplicate) != committed || err != nil && !committed {
				t.Errorf("got %v", err)
			}
			commit(t, two)
			if n := count(t, db, `SELECT COUNT(*) FROM bunnicula_outbox WHERE id = $1`, name); n != 1 {
				t.Errorf("%d rows, want 1", n)
			}
		})
	}
}

func TestAMessageIsNotCancelledWhileATransactionPutsOneThatNeedsIt(t *testing.T) {
	db := pgtest.DB(t)
	box := newBox(t, db, outbox.Postgres)
	inTx(t, db, func(tx *sql.Tx) error { return box.Put(t.Context(), tx, "q", 1, outbox.ID("needed"), outbox.Job("j")) })
	one, two := begin(t, db), begin(t, db)
	if err := box.Put(t.Context(), one, "q", 1, outbox.After("needed")); err != nil {
		t.Fatal(err)
	}
	err := waits(t, db, func() error { return box.Cancel(t.Context(), two, "needed") }, func() { commit(t, one) })
	if !errors.Is(err, outbox.ErrNeeded) {
		t.Errorf("got %v, want ErrNeeded", err)
	}
	commit(t, two)
	if n := count(t, db, `SELECT COUNT(*) FROM bunnicula_outbox`); n != 2 {
		t.Errorf("%d rows, want both", n)
	}
}

func TestAMessageIsNotPutAfterOneThatIsBeingCancelled(t *testing.T) {
	db := pgtest.DB(t)
	box := newBox(t, db, outbox.Postgres)
	inTx(t, db, func(tx *sql.Tx) error { return box.Put(t.Context(), tx, "q", 1, outbox.ID("needed"), outbox.Job("j")) })
	one, two := begin(t, db), begin(t, db)
	if err := box.Cancel(t.Context(), one, "needed"); err != nil {
		t.Fatal(err)
	}
	err := waits(t, db, func() error { return box.Put(t.Context(), two, "q", 1, outbox.After("needed")) }, func() { commit(t, one) })
	if !errors.Is(err, outbox.ErrUnknown) {
		t.Errorf("got %v, want ErrUnknown", err)
	}
	commit(t, two)
	if n := count(t, db, `SELECT COUNT(*) FROM bunnicula_outbox`); n != 0 {
		t.Errorf("%d rows, want none", n)
	}
}

// A relay has its rows locked while the broker confirms them, which can take 10 s.
func TestAMessageThatNeedsOneThatIsBeingPublishedIsPutAtOnce(t *testing.T) {
	db := pgtest.DB(t)
	box := newBox(t, db, outbox.Postgres)
	inTx(t, db, func(tx *sql.Tx) error { return box.Put(t.Context(), tx, "q", 1, outbox.ID("needed"), outbox.Job("j")) })
	relay := begin(t, db)
	if _, err := relay.ExecContext(t.Context(), `SELECT 1 FROM bunnicula_outbox WHERE id = 'needed' FOR NO KEY UPDATE`); err != nil {
		t.Fatal(err)
	}
	inTx(t, db, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(t.Context(), `SET LOCAL lock_timeout = '5s'`); err != nil {
			return err
		}
		return box.Put(t.Context(), tx, "q", 1, outbox.After("needed"))
	})
}

// Nor does a relay wait for a transaction that is open: it could publish nothing else meanwhile.
func TestARelayDoesNotWaitForATransactionThatPutsAfterItsRow(t *testing.T) {
	db := pgtest.DB(t)
	box := newBox(t, db, outbox.Postgres)
	inTx(t, db, func(tx *sql.Tx) error {
		return errors.Join(box.Put(t.Context(), tx, "q", 1, outbox.ID("needed"), outbox.Job("j")), box.Put(t.Context(), tx, "q", 1, outbox.ID("plain")))
	})
	open := begin(t, db)
	if err := box.Put(t.Context(), open, "q", 1, outbox.After("needed")); err != nil {
		t.Fatal(err)
	}
	if err := box.Put(t.Context(), open, "q", 1, outbox.After("plain")); !errors.Is(err, outbox.ErrUnknown) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	var pub publishertest.Recorder
	if f, err := box.Flush(ctx, &pub); err != nil || f.Published != 2 {
		t.Errorf("it published %d, want 2: %v", f.Published, err)
	}
}

// Once waits for a Put that needs its row, and for a relay that has not committed yet that it has
// published it. Otherwise the row that was put would be held for ever.
func TestAMessageIsDoneAfterAPutThatNeedsItAndReleasesWhatThatHasPut(t *testing.T) {
	db := pgtest.DB(t)
	box := newBox(t, db, outbox.Postgres)
	for name, published := range map[string]bool{"published": false, "being published": true} {
		t.Run(name, func(t *testing.T) {
			inTx(t, db, func(tx *sql.Tx) error {
				return box.Put(t.Context(), tx, "q", 1, outbox.ID(name), outbox.Job("j"))
			})
			relay, open := begin(t, db), begin(t, db)
			if err := errors.Join(
				run(t, relay, `SELECT 1 FROM bunnicula_outbox WHERE id = $1 FOR NO KEY UPDATE`, name),
				box.Put(t.Context(), open, "q", 1, outbox.ID(name+", then"), outbox.After(name)),
				run(t, relay, `UPDATE bunnicula_outbox SET state = 2 WHERE id = $1`, name),
			); err != nil {
				t.Fatal(err)
			}
			if !published {
				commit(t, relay)
			}
			once := outbox.Once(box, func(context.Context, *sql.Tx, consumer.Message[int]) consumer.Result { return consumer.Ack() })
			handle := func() error {
				d := consumer.Delivery{Consumer: "c", Since: time.Now()}
				d.MessageID, d.Timestamp = name, time.Now()
				if r := once(t.Context(), consumer.Message[int]{Delivery: d}); !r.Acked() {
					return fmt.Errorf("it is not acked: %v", r)
				}
				return nil
			}
			if err := waits(t, db, handle, func() {
				if published {
					commit(t, relay)
				}
				commit(t, open)
			}); err != nil {
				t.Error(err)
			}
			for id, want := range map[string]outbox.State{name: outbox.Done, name + ", then": outbox.Waiting} {
				if state := outbox.State(count(t, db, `SELECT state FROM bunnicula_outbox WHERE id = $1`, id)); state != want {
					t.Errorf("%s is %s, want %s", id, state, want)
				}
			}
		})
	}
}

func run(t *testing.T, tx *sql.Tx, statement string, args ...any) error {
	t.Helper()
	_, err := tx.ExecContext(t.Context(), statement, args...)
	return err
}

// A relay has the row until it has committed what it has published, and a consumer may be faster.
func TestAParkedMessageIsMarkedWhateverTheDatabasesDefaultIsolationIs(t *testing.T) {
	dsn, err := url.Parse(pgtest.DSN(t))
	if err != nil {
		t.Fatal("the URL of the database")
	}
	query := dsn.Query()
	query.Set("default_transaction_isolation", "serializable")
	dsn.RawQuery = query.Encode()
	db := pgtest.Open(t, dsn.String())
	box := newBox(t, db, outbox.Postgres)
	put(t, box, db, "q", []string{"order"}, outbox.Job("import"))
	relay := begin(t, pgtest.DB(t))
	if _, err := relay.Exec(`UPDATE bunnicula_outbox SET state = 2`); err != nil {
		t.Fatal(err)
	}
	_ = waits(t, db, func() error {
		box.Monitor().End(t.Context(), monitoring.Delivery{Consumer: "c", MessageID: "order"}, monitoring.Outcome{Action: monitoring.Parked})
		return nil
	}, func() { commit(t, relay) })
	if s, err := box.Job(t.Context(), "import"); err != nil || s.Parked != 1 {
		t.Errorf("got %+v, %v, want one that is parked", s, err)
	}
}

// A transaction with one snapshot sees nothing that was put since.
func TestAMessageThatOthersNeedIsNotCancelledWhateverTheIsolation(t *testing.T) {
	db := pgtest.DB(t)
	box := newBox(t, db, outbox.Postgres)
	for _, level := range []sql.IsolationLevel{sql.LevelRepeatableRead, sql.LevelSerializable} {
		t.Run(level.String(), func(t *testing.T) {
			needed, plain := "needed by "+level.String(), "plain "+level.String()
			put(t, box, db, "q", []string{needed}, outbox.Job("j"))
			put(t, box, db, "q", []string{plain})
			tx, err := db.BeginTx(t.Context(), &sql.TxOptions{Isolation: level})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = tx.Rollback() }()
			if _, err := tx.Exec(`SELECT 1`); err != nil { // the snapshot
				t.Fatal(err)
			}
			put(t, box, db, "q", []string{"held by " + level.String()}, outbox.After(needed))
			if err := box.Cancel(t.Context(), tx, needed); err == nil || !strings.Contains(err.Error(), "LevelReadCommitted") {
				t.Errorf("got %v", err)
			}
			if err := box.Cancel(t.Context(), tx, plain); err != nil {
				t.Error(err)
			}
			commit(t, tx)
			if n := count(t, db, `SELECT COUNT(*) FROM bunnicula_outbox WHERE id = $1`, needed); n != 1 {
				t.Error("the row that another one needs is gone")
			}
		})
	}
}
