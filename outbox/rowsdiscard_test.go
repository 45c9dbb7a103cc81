package outbox_test

import (
	"database/sql"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
	"github.com/bunnicula-go/bunnicula/outbox"
)

func TestDiscardTakesWhatWasPublishedOnlyIfItIsNamed(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := newBox(t, db, dialect)
		all := []outbox.State{outbox.Sent, outbox.Done, outbox.Parked}
		for _, step := range []struct {
			f    outbox.RowFilter
			n    int
			left string // of sent, held, done and parked
		}{
			{outbox.RowFilter{All: true}, 5, "sent done parked"},
			{outbox.RowFilter{RoutingKeys: []string{"orders", "invoices"}}, 2, "sent done parked"}, // one backs off, one is held
			{outbox.RowFilter{NewerThan: time.Hour}, 4, "sent done parked"},
			{outbox.RowFilter{Jobs: []string{"import"}}, 2, "sent done"},
			{outbox.RowFilter{IDs: []string{"parked"}}, 1, "sent held done"},
			{outbox.RowFilter{IDs: []string{"sent", "held", "done"}}, 2, "done parked"},
			{outbox.RowFilter{States: []outbox.State{outbox.Parked}}, 1, "sent held done"},
			{outbox.RowFilter{States: []outbox.State{outbox.Done}}, 1, "sent held parked"},
			{outbox.RowFilter{States: []outbox.State{outbox.Sent, outbox.Held}}, 2, "done parked"},
			{outbox.RowFilter{States: all, Jobs: []string{"other"}}, 0, "sent held done parked"},
		} {
			write(t, db, "DELETE FROM bunnicula_outbox")
			zoo(t, db, dialect)
			for _, dry := range []bool{true, false} {
				step.f.DryRun = dry
				if n, err := box.Discard(t.Context(), step.f); n != step.n || err != nil {
					t.Errorf("%+v: %d, %v, want %d", step.f, n, err, step.n)
				}
			}
			if got := ids(t, box, outbox.RowFilter{IDs: []string{"sent", "held", "done", "parked"}}); got != step.left {
				t.Errorf("%+v: left are %q, want %q", step.f, got, step.left)
			}
		}
	})
}

func TestAParkedRowThatHeldOnesNeedStaysUnlessTheyAreDiscardedToo(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := chain(t, db, dialect, 2)
		write(t, db, "UPDATE bunnicula_outbox SET state = 4 WHERE id = '0'")
		n, err := box.Discard(t.Context(), outbox.RowFilter{IDs: []string{"0"}})
		var stay *outbox.StayError
		if n != 0 || !errors.As(err, &stay) || *stay != (outbox.StayError{Needed: 1}) {
			t.Errorf("%d, %v", n, err)
		}
		if n, err := box.Discard(t.Context(), outbox.RowFilter{Jobs: []string{"j"}}); n != 2 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
	})
}

// One message was discarded from the error queue, another is handled without Once.
func TestAJobIsCompleteAndGoesWhenWhatIsNeverDoneIsDiscarded(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := newBox(t, db, dialect)
		for id, state := range map[string]outbox.State{"a": outbox.Done, "b": outbox.Parked, "c": outbox.Sent} {
			insertRow(t, db, dialect, id, state, 8*24*time.Hour, "import", nil)
		}
		left := func(want int) {
			t.Helper()
			if err := box.Clean(t.Context()); err != nil {
				t.Fatal(err)
			}
			if n := count(t, db, "SELECT count(*) FROM bunnicula_outbox"); n != want {
				t.Errorf("%d rows, want %d", n, want)
			}
		}
		left(3)
		for _, f := range []outbox.RowFilter{{Jobs: []string{"import"}}, {IDs: []string{"c"}}} {
			if n, err := box.Discard(t.Context(), f); n != 1 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		}
		if job, err := box.Job(t.Context(), "import"); err != nil || !job.Complete() {
			t.Errorf("%+v, %v", job, err)
		}
		left(0)
	})
}

// Once has the row of the message that it handles locked, as soon as it sets it to done.
func TestDiscardPassesByASentRowThatIsBeingHandled(t *testing.T) {
	db := pgtest.DB(t)
	box := zoo(t, db, outbox.Postgres)
	once, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = once.Rollback() }()
	if _, err := once.ExecContext(t.Context(), "UPDATE bunnicula_outbox SET state = 3 WHERE id = 'sent'"); err != nil {
		t.Fatal(err)
	}
	sent := outbox.RowFilter{States: []outbox.State{outbox.Sent, outbox.Held}}
	n, err := box.Discard(t.Context(), sent)
	var stay *outbox.StayError
	if n != 1 || !errors.As(err, &stay) || *stay != (outbox.StayError{Publishing: 1}) || !strings.Contains(err.Error(), "1 row is being published or handled") {
		t.Errorf("%d, %v", n, err)
	}
	if err := once.Commit(); err != nil {
		t.Fatal(err)
	}
	if n, err := box.Discard(t.Context(), sent); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if r, err := box.Row(t.Context(), "sent"); err != nil || r.State != outbox.Done {
		t.Errorf("%s, %v", r.State, err)
	}
}
