package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
)

type email struct{ To string }

func TestAMessageIsWrittenIfTheTransactionCommitsAndNotIfItIsRolledBack(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := newBox(t, db, dialect)
		inTx(t, db, func(tx *sql.Tx) error {
			return box.Put(t.Context(), tx, "emails", email{"ada"}, outbox.ID("one"), outbox.Key("k"), outbox.Job("j"))
		})
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := box.Put(t.Context(), tx, "emails", email{"bob"}, outbox.ID("two")); err != nil {
			t.Fatal(err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		var id, key, job, exchange, routingKey string
		var body []byte
		if err := db.QueryRowContext(t.Context(), `SELECT id, key, job, exchange, routing_key, body FROM bunnicula_outbox`).Scan(&id, &key, &job, &exchange, &routingKey, &body); err != nil {
			t.Fatal(err)
		}
		if got, want := strings.Join([]string{id, key, job, exchange, routingKey, string(body)}, "|"), `one|k|j||emails|{"To":"ada"}`; got != want {
			t.Errorf("the row is %s, want %s", got, want)
		}
		if n := count(t, db, `SELECT COUNT(*) FROM bunnicula_outbox`); n != 1 {
			t.Errorf("%d rows, want 1", n)
		}
	})
}

func TestPutWorksInSimulatedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := sqlite(t)
		box := newBox(t, db, outbox.SQLite)
		time.Sleep(time.Hour)
		begun := time.Now()
		inTx(t, db, func(tx *sql.Tx) error {
			return errors.Join(
				box.Put(t.Context(), tx, "emails", 1, outbox.ID("now")),
				box.Put(t.Context(), tx, "emails", 1, outbox.ID("delay"), publisher.Delay(time.Minute)),
				box.Put(t.Context(), tx, "emails", 1, outbox.ID("tiny"), publisher.Delay(1)),
				box.Put(t.Context(), tx, "emails", 1, outbox.ID("at"), publisher.At(begun.Add(time.Hour)), publisher.Exchange("e")),
				box.Put(t.Context(), tx, "emails", 1, outbox.ID("past"), publisher.At(begun.Add(-time.Hour))),
			)
		})
		for id, want := range map[string]time.Duration{"now": 0, "delay": time.Minute, "tiny": time.Microsecond, "at": time.Hour, "past": 0} {
			if due := count(t, db, `SELECT due FROM bunnicula_outbox WHERE id = ?`, id); int64(due) != begun.Add(want).UnixMicro() {
				t.Errorf("%s is due %s after Put, want %s", id, time.UnixMicro(int64(due)).Sub(begun), want)
			}
			if at := count(t, db, `SELECT put_at FROM bunnicula_outbox WHERE id = ?`, id); int64(at) != begun.UnixMicro() {
				t.Errorf("%s was put at %s", id, time.UnixMicro(int64(at)))
			}
		}
		if err := db.Close(); err != nil { // its goroutine belongs to the bubble
			t.Fatal(err)
		}
	})
}

func TestADelayIsCountedByTheClockOfTheDatabaseFromPutOn(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		if dialect == outbox.SQLite {
			t.Skip("SQLite has the program's clock: TestPutWorksInSimulatedTime")
		}
		box := newBox(t, db, dialect)
		inTx(t, db, func(tx *sql.Tx) error {
			// now() stands still
			if _, err := tx.ExecContext(t.Context(), `SELECT pg_sleep(0.2)`); err != nil {
				return err
			}
			return box.Put(t.Context(), tx, "emails", 1, publisher.Delay(time.Minute))
		})
		var wait float64
		if err := db.QueryRowContext(t.Context(), `SELECT EXTRACT(EPOCH FROM due - put_at) FROM bunnicula_outbox`).Scan(&wait); err != nil {
			t.Fatal(err)
		}
		if wait < 60.2 || wait > 70 {
			t.Errorf("it is due %g s after its transaction began, want 60.2", wait)
		}
	})
}

func TestADuplicateIDIsAnErrorAndTheTransactionGoesOn(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := newBox(t, db, dialect)
		inTx(t, db, func(tx *sql.Tx) error { return box.Put(t.Context(), tx, "emails", 1, outbox.ID("one")) })
		inTx(t, db, func(tx *sql.Tx) error {
			err := box.Put(t.Context(), tx, "emails", 2, outbox.ID("one"))
			if want := `outbox: put message "one" for queue "emails": the outbox has a message with this id already`; !errors.Is(err, outbox.ErrDuplicate) || err.Error() != want {
				t.Errorf("got %v, want %s", err, want)
			}
			return box.Put(t.Context(), tx, "emails", 3)
		})
		if n := count(t, db, `SELECT COUNT(*) FROM bunnicula_outbox`); n != 2 {
			t.Errorf("%d rows, want 2", n)
		}
	})
}

func TestAMessageIsHeldUntilTheOneThatItNeedsIsDone(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := newBox(t, db, dialect)
		state := func(id string) outbox.State {
			return outbox.State(count(t, db, `SELECT state FROM bunnicula_outbox WHERE id = $1`, id))
		}
		inTx(t, db, func(tx *sql.Tx) error {
			return errors.Join(
				box.Put(t.Context(), tx, "invoices", 1, outbox.ID("one"), outbox.Job("j")),
				box.Put(t.Context(), tx, "emails", 1, outbox.ID("two"), outbox.Job("j"), outbox.After("one")),
				box.Put(t.Context(), tx, "emails", 1, outbox.ID("three"), outbox.After("two")),
			)
		})
		if state("one") != outbox.Waiting || state("two") != outbox.Held || state("three") != outbox.Held {
			t.Errorf("they are %s, %s and %s; want waiting, held, held", state("one"), state("two"), state("three"))
		}
		inTx(t, db, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(t.Context(), `UPDATE bunnicula_outbox SET state = 3 WHERE id = 'one'`)
			return errors.Join(err, box.Put(t.Context(), tx, "emails", 1, outbox.ID("four"), outbox.After("one")))
		})
		if state("four") != outbox.Waiting {
			t.Errorf("it is %s, and the one that it needs is done", state("four"))
		}
	})
}

func TestAfterRefusesWhatCanNeverBeDone(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := newBox(t, db, dialect)
		inTx(t, db, func(tx *sql.Tx) error {
			for id, want := range map[string]string{
				"none":  `the outbox has no such message: outbox.After("none"): put that one first, with outbox.Job`,
				"plain": `outbox.After("plain"): that one has no job; put it with outbox.Job`,
			} {
				if err := box.Put(t.Context(), tx, "emails", 1, outbox.ID("plain")); err != nil && !errors.Is(err, outbox.ErrDuplicate) {
					return err
				}
				err := box.Put(t.Context(), tx, "emails", 1, outbox.After(id))
				if !errors.Is(err, outbox.ErrUnknown) || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %s", err, want)
				}
			}
			return nil
		})
		if n := count(t, db, `SELECT COUNT(*) FROM bunnicula_outbox`); n != 1 {
			t.Errorf("%d rows, want 1", n)
		}
	})
}

func TestCaptureAddsHeadersThatOptionsWinOver(t *testing.T) {
	type key struct{}
	db := sqlite(t)
	box := newBox(t, db, outbox.SQLite, outbox.Config{Capture: func(ctx context.Context) map[string]any {
		return map[string]any{"request": ctx.Value(key{}), "tenant": "captured"}
	}})
	inTx(t, db, func(tx *sql.Tx) error {
		return box.Put(context.WithValue(t.Context(), key{}, "r7"), tx, "emails", 1, publisher.Header("tenant", "mine"))
	})
	var properties string
	if err := db.QueryRowContext(t.Context(), `SELECT properties FROM bunnicula_outbox`).Scan(&properties); err != nil {
		t.Fatal(err)
	}
	if want := `{"content_type":"application/json","delivery_mode":2,"headers":{"request":"r7","tenant":"mine"}}`; properties != want {
		t.Errorf("properties are\n%s, want\n%s", properties, want)
	}
}
