package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
	"github.com/bunnicula-go/bunnicula/outbox"
)

func TestRetryMakesFailedRowsAndThoseThatBackOffDueNow(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := zoo(t, db, dialect)
		all := outbox.RowFilter{All: true, DryRun: true}
		if n, err := box.Retry(t.Context(), all); n != 2 || err != nil {
			t.Fatalf("%d, %v, want 2", n, err)
		}
		before := map[string]outbox.Row{}
		for r, err := range box.Rows(t.Context(), outbox.RowFilter{}) {
			if before[r.ID] = r; err != nil {
				t.Fatal(err)
			}
		}
		if before["failed"].State != outbox.Failed {
			t.Error("a dry run has changed it")
		}
		all.DryRun = false
		for i, want := range []int{2, 0} {
			if n, err := box.Retry(t.Context(), all); n != want || err != nil {
				t.Fatalf("at %d: %d, %v, want %d", i, n, err, want)
			}
		}
		for r, err := range box.Rows(t.Context(), outbox.RowFilter{}) {
			if err != nil {
				t.Fatal(err)
			}
			was := before[r.ID]
			if r.ID != "failed" && r.ID != "backing-off" {
				if r.State != was.State || !r.Due.Equal(was.Due) || !r.Changed.Equal(was.Changed) {
					t.Errorf("%s was changed: %+v, was %+v", r.ID, r, was)
				}
				continue
			}
			if r.State != outbox.Waiting || r.Attempts != 0 || r.Due.After(r.PutAt.Add(49*time.Hour)) || !r.Due.After(was.PutAt) || r.Error != was.Error {
				t.Errorf("%+v", r)
			}
			if moved := r.Changed.After(was.Changed); moved != (r.ID == "failed") {
				t.Errorf("%s: changed is %s, was %s", r.ID, r.Changed, was.Changed)
			}
		}
	})
}

func TestRetryAndDiscardTakeWhatTheFilterChooses(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := zoo(t, db, dialect)
		if n, err := box.Retry(t.Context(), outbox.RowFilter{ErrorContains: "full"}); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if n, err := box.Discard(t.Context(), outbox.RowFilter{RoutingKeys: []string{"emails"}, Limit: 2}); n != 2 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if got := ids(t, box, outbox.RowFilter{}); got != "sent held failed backing-off done parked" {
			t.Errorf("left are %s", got)
		}
	})
}

func TestDiscardLeavesWhatWasPublished(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := zoo(t, db, dialect)
		for _, dry := range []bool{true, false} {
			if n, err := box.Discard(t.Context(), outbox.RowFilter{All: true, DryRun: dry}); n != 5 || err != nil {
				t.Errorf("dry run %t: %d, %v, want 5", dry, n, err)
			}
		}
		if got := ids(t, box, outbox.RowFilter{}); got != "sent done parked" {
			t.Errorf("left are %s", got)
		}
	})
}

// chain puts rows of which each needs the one before it.
func chain(t testing.TB, db *sql.DB, dialect outbox.Dialect, n int) *outbox.Box {
	t.Helper()
	box := newBox(t, db, dialect)
	inTx(t, db, func(tx *sql.Tx) error {
		for i := range n {
			id, job := outbox.ID(fmt.Sprint(i)), outbox.Job("j")
			var err error
			if i == 0 {
				err = box.Put(t.Context(), tx, "first", i, id, job)
			} else {
				err = box.Put(t.Context(), tx, "next", i, id, job, outbox.After(fmt.Sprint(i-1)))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return box
}

// A held row whose needed row is gone would be released, and published although that was never
// done.
func TestDiscardLeavesARowThatHeldOnesNeedUnlessTheyAreChosenToo(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		const rows = 1100 // some chunks
		box := chain(t, db, dialect, rows)
		n, err := box.Discard(t.Context(), outbox.RowFilter{IDs: []string{"0", "7", fmt.Sprint(rows - 1)}})
		var stay *outbox.StayError
		if n != 1 || !errors.As(err, &stay) || *stay != (outbox.StayError{Needed: 2}) || !errors.Is(err, outbox.ErrNeeded) ||
			!strings.Contains(err.Error(), "not discarded: 2 rows are needed by rows that are held") {
			t.Errorf("%d, %v", n, err)
		}
		// 6 is needed by 7, which stays, and so 6 stays and needs 5.
		if n, err = box.Discard(t.Context(), outbox.RowFilter{IDs: []string{"5", "6"}}); n != 0 || !errors.As(err, &stay) || stay.Needed != 2 {
			t.Errorf("%d, %v", n, err)
		}
		done := 0
		n, err = box.Discard(t.Context(), outbox.RowFilter{All: true, Progress: func(d, of int) {
			if done = d; of != rows-1 {
				t.Errorf("of %d", of)
			}
		}})
		if n != rows-1 || err != nil || done != rows-1 {
			t.Errorf("%d, %v, progress %d", n, err, done)
		}
	})
}

func TestDiscardRefusesWhatIsBeingPublishedOnSQLite(t *testing.T) {
	db := sqlite(t)
	box := zoo(t, db, outbox.SQLite)
	write(t, db, "UPDATE bunnicula_outbox SET state = 6 WHERE id = 'waiting'")
	n, err := box.Discard(t.Context(), outbox.RowFilter{All: true})
	var stay *outbox.StayError
	if n != 4 || !errors.As(err, &stay) || *stay != (outbox.StayError{Publishing: 1}) || errors.Is(err, outbox.ErrNeeded) || !strings.Contains(err.Error(), "1 row is being published") {
		t.Errorf("%d, %v", n, err)
	}
	if got := ids(t, box, outbox.RowFilter{States: []outbox.State{outbox.Waiting}}); got != "waiting" {
		t.Errorf("left are %s", got)
	}
}

// A relay holds the locks of the rows that it publishes. Nobody waits for them.
func TestDiscardAndRetryPassByWhatIsBeingPublishedOnPostgreSQL(t *testing.T) {
	db := pgtest.DB(t)
	box := zoo(t, db, outbox.Postgres)
	relay, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = relay.Rollback() }()
	if _, err := relay.ExecContext(t.Context(), "SELECT 1 FROM bunnicula_outbox WHERE id IN ('waiting', 'backing-off') FOR NO KEY UPDATE"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if n, err := box.Retry(ctx, outbox.RowFilter{All: true}); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	n, err := box.Discard(ctx, outbox.RowFilter{All: true})
	var stay *outbox.StayError
	if n != 3 || !errors.As(err, &stay) || *stay != (outbox.StayError{Publishing: 2}) || !strings.Contains(err.Error(), "2 rows are being published") {
		t.Errorf("%d, %v", n, err)
	}
	if err := relay.Rollback(); err != nil {
		t.Fatal(err)
	}
	if n, err := box.Discard(ctx, outbox.RowFilter{All: true}); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

// The Put locks the row that it needs before Discard does, and commits while Discard looks. A
// transaction that is isolated from others would not see it, so the database's default must not
// count.
func TestDiscardSeesARowThatIsPutMeanwhileAndNeedsIt(t *testing.T) {
	db := pgtest.Open(t, pgtest.DSN(t)+"&default_transaction_isolation=repeatable+read")
	box := chain(t, db, outbox.Postgres, 1)
	for round := range 500 {
		put, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprintf("late-%d", round)
		if err := box.Put(t.Context(), put, "next", 1, outbox.ID(id), outbox.Job("j"), outbox.After("0")); err != nil {
			t.Fatal(err)
		}
		committed := make(chan error)
		go func() { committed <- put.Commit() }()
		n, err := box.Discard(t.Context(), outbox.RowFilter{IDs: []string{"0"}})
		if err := <-committed; err != nil {
			t.Fatal(err)
		}
		if n != 0 || err == nil {
			t.Fatalf("round %d: %d, %v: %s needs a row that is gone", round, n, err, id)
		}
		if n, err := box.Discard(t.Context(), outbox.RowFilter{IDs: []string{id}}); n != 1 || err != nil {
			t.Fatalf("%d, %v", n, err)
		}
	}
}

// Between the look and the change a relay, or another person, may have done something.
func TestRowsThatAreNotChosenAnyMoreAreLeft(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := newBox(t, db, dialect)
		fill := func() { // two chunks
			write(t, db, "DELETE FROM bunnicula_outbox")
			inTx(t, db, func(tx *sql.Tx) (err error) {
				for i := range 600 {
					err = errors.Join(err, box.Put(t.Context(), tx, "q", i, outbox.ID(fmt.Sprint(i))))
				}
				return err
			})
		}
		failed, old := outbox.RowFilter{States: []outbox.State{outbox.Failed}}, outbox.RowFilter{ErrorContains: "old"}
		for name, change := range map[string]func(context.Context, outbox.RowFilter) (int, error){"retry": box.Retry, "discard": box.Discard} {
			for set, f := range map[string]outbox.RowFilter{"state = 0": failed, "state = 2": failed, "state = 3": {All: true}, "error = 'new'": old} {
				fill()
				write(t, db, "UPDATE bunnicula_outbox SET state = 5, error = 'old'")
				f.Progress = func(done, _ int) {
					if done == 500 {
						write(t, db, "UPDATE bunnicula_outbox SET "+set+" WHERE state = 5")
					}
				}
				if n, err := change(t.Context(), f); n != 500 || err != nil {
					t.Errorf("%s, then %s: %d, %v, want 500", name, set, n, err)
				}
			}
		}
	})
}
