package outboxlook

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// bothDialects runs a test with an empty outbox in a database of each. That of PostgreSQL takes
// long.
func bothDialects(t *testing.T, test func(t *testing.T, l Looker, box *outbox.Box)) {
	t.Helper()
	run := func(name string, open func(*testing.T) *sql.DB, dialect outbox.Dialect) {
		t.Run(name, func(t *testing.T) {
			db := open(t)
			box, err := outbox.New(db, dialect)
			if err == nil {
				err = box.Migrate(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			test(t, Looker{db, dialect}, box)
		})
	}
	run("sqlite", func(t *testing.T) *sql.DB {
		db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "data.db")+"?_txlock=immediate&_pragma=busy_timeout(10000)")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		return db
	}, outbox.SQLite)
	run("postgres", func(t *testing.T) *sql.DB { return pgtest.DB(t) }, outbox.Postgres)
}

func put(t *testing.T, l Looker, box *outbox.Box, id, queue string, opts ...publisher.Option) {
	t.Helper()
	tx, err := l.DB.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(box.Put(t.Context(), tx, queue, id, append(opts, outbox.ID(id))...), tx.Commit()); err != nil {
		t.Fatal(err)
	}
}

func exec(t *testing.T, l Looker, statement string) {
	t.Helper()
	if _, err := l.DB.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// ago makes a row so many minutes older.
func ago(t *testing.T, l Looker, id string, minutes int) {
	t.Helper()
	by := fmt.Sprintf("%d * interval '1 minute'", minutes)
	if l.Dialect == outbox.SQLite {
		by = fmt.Sprintf("%d * 60000000", minutes)
	}
	exec(t, l, fmt.Sprintf("UPDATE bunnicula_outbox SET put_at = put_at - %s, due = due - %[1]s WHERE id = '%s'", by, id))
}

func TestWhatWaitsForWhatIsFound(t *testing.T) {
	bothDialects(t, func(t *testing.T, l Looker, box *outbox.Box) {
		if waits, err := l.Waits(t.Context(), 10); err != nil || len(waits) != 0 {
			t.Errorf("%+v, %v", waits, err)
		}
		put(t, l, box, "failed", "emails", outbox.Key("a"))
		put(t, l, box, "behind", "emails", outbox.Key("a"))
		put(t, l, box, "behind-too", "emails", outbox.Key("a"))
		put(t, l, box, "delayed", "emails", outbox.Key("b"), publisher.Delay(time.Hour))
		put(t, l, box, "behind-delayed", "emails", outbox.Key("b"))
		put(t, l, box, "due", "emails", outbox.Key("c")) // it is published now
		put(t, l, box, "behind-due", "emails", outbox.Key("c"))
		put(t, l, box, "first", "q", publisher.Exchange("shop"), outbox.Job("j"))
		for i := range 4 {
			put(t, l, box, fmt.Sprint("held-", i), "q", outbox.Job("j"), outbox.After("first"))
		}
		exec(t, l, "UPDATE bunnicula_outbox SET state = 5, error = 'no queue' WHERE id = 'failed'")
		exec(t, l, "UPDATE bunnicula_outbox SET state = 4 WHERE id = 'first'")
		exec(t, l, "UPDATE bunnicula_outbox SET needs = 'lost' WHERE id = 'held-3'")
		waits, err := l.Waits(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		for i := range waits {
			if w := &waits[i]; w.ID == "delayed" && w.Until > 59*time.Minute && w.Until <= time.Hour {
				w.Until = time.Hour
			} else {
				w.Until = 0
			}
		}
		want := []Wait{
			{Rows: 3, ID: "first", State: outbox.Parked, Target: Target{"shop", "q"}},
			{Rows: 2, Key: "a", ID: "failed", State: outbox.Failed, Target: Target{"", "emails"}, Error: "no queue"},
			{Rows: 1, Key: "b", ID: "delayed", State: outbox.Waiting, Target: Target{"", "emails"}, Until: time.Hour},
			{Rows: 1, ID: "lost", Gone: true},
		}
		if !slices.Equal(waits, want) {
			t.Errorf("%+v\nwant %+v", waits, want)
		}
		if waits, err = l.Waits(t.Context(), 1); err != nil || len(waits) != 1 {
			t.Errorf("%+v, %v", waits, err)
		}
	})
}

func TestARowIsLateOnlyIfNothingHoldsIt(t *testing.T) {
	bothDialects(t, func(t *testing.T, l Looker, box *outbox.Box) {
		free := func(want time.Duration) {
			t.Helper()
			if got, err := l.Free(t.Context()); err != nil || (got-want).Abs() > 30*time.Second {
				t.Errorf("%s, %v, want %s", got, err, want)
			}
		}
		free(0)
		put(t, l, box, "failed", "q", outbox.Key("a"))
		put(t, l, box, "behind", "q", outbox.Key("a"))
		put(t, l, box, "delayed", "q", publisher.Delay(time.Hour))
		put(t, l, box, "held", "q", outbox.Key("c"))
		exec(t, l, "UPDATE bunnicula_outbox SET state = 5 WHERE id = 'failed'")
		exec(t, l, "UPDATE bunnicula_outbox SET state = 1 WHERE id = 'held'")
		for _, id := range []string{"failed", "behind", "held"} {
			ago(t, l, id, 60)
		}
		free(0)
		put(t, l, box, "head", "q", outbox.Key("b"))
		ago(t, l, "head", 10)
		free(10 * time.Minute)
		put(t, l, box, "keyless", "q")
		ago(t, l, "keyless", 20)
		free(20 * time.Minute)
	})
}

func TestTheFactsOfAnOutboxAreCollected(t *testing.T) {
	bothDialects(t, func(t *testing.T, l Looker, box *outbox.Box) {
		for i := range 5 {
			put(t, l, box, fmt.Sprint("f-", i), "emails")
		}
		put(t, l, box, "sent", "other", outbox.Job("j"))
		put(t, l, box, "w", "key", publisher.Exchange("shop"))
		exec(t, l, "UPDATE bunnicula_outbox SET state = 5, error = 'no queue' WHERE id IN ('f-1', 'f-2', 'f-3')")
		exec(t, l, "UPDATE bunnicula_outbox SET state = 5 WHERE id = 'f-4'")
		exec(t, l, "UPDATE bunnicula_outbox SET state = 2 WHERE id = 'sent'")
		f, err := l.Look(t.Context(), box, "shown")
		if err != nil || f.Tables != nil || f.Shown != "shown" || f.Stats.Failed != 4 || f.Stats.Waiting != 2 || f.Apart.Abs() > time.Second {
			t.Errorf("%+v, %v", f, err)
		}
		emails := Target{"", "emails"}
		if want := []Failed{{emails, "no queue", 3, "f-1"}, {emails, "", 1, "f-4"}}; !slices.Equal(f.Failed, want) {
			t.Errorf("%+v, want %+v", f.Failed, want)
		}
		if len(f.Targets) != 2 || f.Targets[emails] != 5 || f.Targets[Target{"shop", "key"}] != 1 {
			t.Errorf("%+v", f.Targets)
		}
		if (f.Vacuum != nil) != (l.Dialect == outbox.Postgres) {
			t.Errorf("%+v", f.Vacuum)
		}
		exec(t, l, "DROP TABLE bunnicula_outbox")
		if f, err = l.Look(t.Context(), box, ""); err != nil || !errors.Is(f.Tables, outbox.ErrNoTables) {
			t.Errorf("%+v, %v", f, err)
		}
	})
}

func TestPostgreSQLTellsWhatItHasToCleanUp(t *testing.T) {
	db := pgtest.DB(t)
	l := Looker{db, outbox.Postgres}
	box, err := outbox.New(db, outbox.Postgres)
	if err == nil {
		err = box.Migrate(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	v, err := l.Vacuum(t.Context())
	if err != nil || len(v.Tables) != 2 || v.Tables[0].Name != "bunnicula_outbox" || v.Tables[0].Off || !v.Tables[0].Never {
		t.Errorf("%+v, %v", v, err)
	}
	exec(t, l, "ALTER TABLE bunnicula_inbox SET (autovacuum_enabled = false)")
	exec(t, l, "VACUUM bunnicula_outbox")
	open, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = open.Rollback() }()
	if _, err := open.ExecContext(t.Context(), "SELECT pg_sleep(0.2)"); err != nil {
		t.Fatal(err)
	}
	if v, err = l.Vacuum(t.Context()); err != nil || v.Tables[0].Off || !v.Tables[1].Off || v.Oldest < 100*time.Millisecond {
		t.Errorf("%+v, %v", v, err)
	}
}
