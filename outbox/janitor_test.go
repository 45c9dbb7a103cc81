package outbox_test

import (
	"database/sql"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/outbox"
)

// ago is a time of the database, some time ago.
func ago(dialect outbox.Dialect, d time.Duration) string {
	if dialect == outbox.Postgres {
		return fmt.Sprintf("now() - interval '%d microseconds'", d.Microseconds())
	}
	return fmt.Sprint(time.Now().Add(-d).UnixMicro())
}

// row inserts a row in a state.
func insertRow(t *testing.T, db *sql.DB, dialect outbox.Dialect, id string, state outbox.State, changed time.Duration, job, needs any) {
	t.Helper()
	at := ago(dialect, changed)
	_, err := db.Exec(fmt.Sprintf(`INSERT INTO bunnicula_outbox (id, exchange, routing_key, properties, body, put_at, due, state, changed, job, needs)
VALUES ($1, '', 'q', '{}', '', %s, %s, %d, %s, $2, $3)`, at, at, state, at), id, job, needs)
	if err != nil {
		t.Fatal(err)
	}
}

func rowsOf(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var all []string
	for rows.Next() {
		var one string
		if err := rows.Scan(&one); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

func TestCleaningRemovesWhatIsOlderThanItIsKeptAndNothingElse(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		const hour = time.Hour
		box := newBox(t, db, dialect, outbox.Config{Keep: 48 * hour})
		for id, age := range map[string]time.Duration{"new": 0, "kept": 71 * hour, "old": 73 * hour} {
			if _, err := db.Exec(`INSERT INTO bunnicula_inbox (consumer, id, at) VALUES ('c', $1, `+ago(dialect, age)+`)`, id); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 2500 {
			insertRow(t, db, dialect, fmt.Sprint("over-", i), outbox.Done, 49*hour, "over", nil)
		}
		for i, state := range []outbox.State{outbox.Waiting, outbox.Held, outbox.Sent, outbox.Parked, outbox.Failed} {
			job := "job-" + state.String()
			insertRow(t, db, dialect, job, state, 90*hour, job, "over-1")
			insertRow(t, db, dialect, fmt.Sprint("done-", i), outbox.Done, 90*hour, job, nil)
		}
		insertRow(t, db, dialect, "early", outbox.Done, 49*hour, "young", nil)
		insertRow(t, db, dialect, "late", outbox.Done, 47*hour, "young", nil)
		insertRow(t, db, dialect, "free", outbox.Waiting, 90*hour, nil, nil)
		if err := box.Clean(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := rowsOf(t, db, `SELECT id FROM bunnicula_inbox ORDER BY id`); got != "kept new" {
			t.Errorf("marks: %s", got)
		}
		if got := rowsOf(t, db, `SELECT id FROM bunnicula_outbox ORDER BY id`); got !=
			"done-0 done-1 done-2 done-3 done-4 early free job-failed job-held job-parked job-sent job-waiting late" {
			t.Errorf("rows: %s", got)
		}
	})
}

func TestCleaningReleasesWhatWaitsInVain(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := newBox(t, db, dialect)
		insertRow(t, db, dialect, "done", outbox.Done, 0, "j", nil)
		insertRow(t, db, dialect, "sent", outbox.Sent, 0, "j", nil)
		for _, needs := range []string{"done", "sent", "gone"} {
			insertRow(t, db, dialect, "needs-"+needs, outbox.Held, 0, nil, needs)
		}
		if err := box.Clean(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := rowsOf(t, db, `SELECT id FROM bunnicula_outbox WHERE state = 0 ORDER BY id`); got != "needs-done needs-gone" {
			t.Errorf("released: %s", got)
		}
	})
}

func TestStatsCountRowsByWhatTheyWaitFor(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := newBox(t, db, dialect)
		if s, err := box.Stats(t.Context()); err != nil || s != (outbox.Stats{}) {
			t.Errorf("of nothing: %+v %v", s, err)
		}
		for state, n := range []int{3, 2, 4, 1, 2, 5} {
			for i := range n {
				job := any("j")
				if outbox.State(state) == outbox.Failed {
					job = nil
				}
				insertRow(t, db, dialect, fmt.Sprint(state, "-", i), outbox.State(state), time.Hour, job, nil)
			}
		}
		insertRow(t, db, dialect, "later", outbox.Waiting, -time.Hour, nil, nil)
		s, err := box.Stats(t.Context())
		if s.Oldest < time.Hour || s.Oldest > time.Hour+time.Minute {
			t.Errorf("the oldest has waited for %s", s.Oldest)
		}
		s.Oldest = 0
		if want := (outbox.Stats{Waiting: 3, Delayed: 1, Held: 2, Sent: 4, Done: 1, Parked: 2, Failed: 5}); err != nil || s != want {
			t.Errorf("%+v %v, want %+v", s, err, want)
		}
		metrics := map[string]float64{}
		box.Metrics(func(name string, value float64, labels ...string) { metrics[name+strings.Join(labels, ",")] = value })
		if metrics["outbox_rowsfailed"] != 5 || metrics["outbox_rowswaiting"] != 3 || metrics["outbox_oldest_seconds"] < 3600 || len(metrics) != 12 {
			t.Errorf("the metrics are %v", metrics)
		}
	})
}

// The longest Duration stands for ever. A day more than that is none.
func TestMarksThatAreKeptForEverAreNotRemoved(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := newBox(t, db, dialect, outbox.Config{Keep: math.MaxInt64})
		if _, err := db.Exec(`INSERT INTO bunnicula_inbox (consumer, id, at) VALUES ('c', 'handled', ` + ago(dialect, time.Hour) + `)`); err != nil {
			t.Fatal(err)
		}
		insertRow(t, db, dialect, "done", outbox.Done, time.Hour, "job", nil)
		if err := box.Clean(t.Context()); err != nil {
			t.Error(err)
		}
		if got := rowsOf(t, db, `SELECT id FROM bunnicula_inbox UNION ALL SELECT id FROM bunnicula_outbox`); got != "handled done" {
			t.Errorf("there is %q, want both", got)
		}
	})
}
