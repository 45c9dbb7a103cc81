package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
)

// look is what PostgreSQL does for one take.
type look struct {
	plan string
	read int // pages
	rows int // that it returns
}

// explained runs a statement of a take, and rolls back what it has locked.
func explained(t *testing.T, db *sql.DB, statement string, args ...any) look {
	t.Helper()
	tx, err := db.BeginTx(context.WithoutCancel(t.Context()), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec(planned); err != nil {
		t.Fatal(err)
	}
	var text string
	if err := tx.QueryRow("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) "+statement, args...).Scan(&text); err != nil {
		t.Fatal(err)
	}
	var plans []struct {
		Plan struct {
			Hit  int     `json:"Shared Hit Blocks"`
			Read int     `json:"Shared Read Blocks"`
			Rows float64 `json:"Actual Rows"`
		}
	}
	if err := json.Unmarshal([]byte(text), &plans); err != nil {
		t.Fatal(err)
	}
	p := plans[0].Plan
	return look{text, p.Hit + p.Read, int(p.Rows)}
}

// noted is explained, again and again until the statement reads so few pages: an index notes what
// is dead only when no transaction, also of another test, may see it.
func noted(t *testing.T, db *sql.DB, pages int, statement string, args ...any) (l look) {
	t.Helper()
	for until := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if l = explained(t, db, statement, args...); l.read <= pages || time.Now().After(until) {
			return l
		}
	}
}

// check says whether the statement looks at rows by the indexes, in their order.
func (l look) check(t *testing.T, name string, pages, rows int) {
	t.Helper()
	for _, bad := range []string{`"Seq Scan"`, `"Bitmap Heap Scan"`, `"o_1.due"`} {
		if strings.Contains(l.plan, bad) {
			t.Errorf("%s: the plan has %s:\n%s", name, bad, l.plan)
		}
	}
	t.Logf("%s: %d pages for %d rows", name, l.read, l.rows)
	if l.read > pages || l.rows < rows {
		t.Errorf("%s: %d pages are read for %d rows, want at most %d for %d", name, l.read, l.rows, pages, rows)
	}
}

// A take reads some pages for each row that it takes, whatever else is in the table, and whether or
// not the table was analyzed or vacuumed.
func TestATakeReadsNoMoreThanItsRowsNeed(t *testing.T) {
	const batch = 500
	for _, analyzed := range []bool{false, true} {
		db := pgtest.DB(t)
		box, err := New(db, Postgres)
		if err != nil {
			t.Fatal(err)
		}
		if err := box.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		exec := func(statement string, args ...any) {
			t.Helper()
			if _, err := db.Exec(statement, args...); err != nil {
				t.Fatal(err)
			}
		}
		fill := func(prefix, state, key string, rows int) {
			t.Helper()
			exec(fmt.Sprintf(`INSERT INTO bunnicula_outbox (id, exchange, routing_key, properties, body, due, state, key)
SELECT '%s-' || g, '', 'q', '{}', repeat('x', 300)::bytea, now() - interval '1 hour' + g * interval '1 microsecond', %s, %s
FROM generate_series(1, %d) g`, prefix, state, key, rows))
			if analyzed {
				exec(`ANALYZE bunnicula_outbox`)
			}
		}
		due := takeDue(batch, 16)
		name := func(what string) string { return fmt.Sprintf("analyzed %t: %s", analyzed, what) }

		exec(`TRUNCATE bunnicula_outbox`)
		exec(`ALTER TABLE bunnicula_outbox SET (autovacuum_enabled = off)`)
		explained(t, db, due).check(t, name("nothing"), 100, 0)
		fill("old", "5", "'old-' || g", 200_000)
		fill("sent", "2", "NULL", 200_000)
		explained(t, db, due).check(t, name("old rows"), 100, 0)
		fill("free", "0", "NULL", 100_000)
		explained(t, db, due).check(t, name("rows without a key"), 10*batch, batch)
		exec(`DELETE FROM bunnicula_outbox WHERE id LIKE 'free-%' AND substr(id, 6)::int <= 99000`)
		noted(t, db, 10*batch, due).check(t, name("behind rows that were deleted"), 10*batch, batch)
		exec(`DELETE FROM bunnicula_outbox WHERE id LIKE 'free-%'`)

		fill("many", "0", "'key-' || (g % 10000)", 100_000)
		explained(t, db, due).check(t, name("many keys"), 60*batch, 2*batch)
		exec(`DELETE FROM bunnicula_outbox WHERE id LIKE 'many-%'`)
		fill("few", "0", "'key-' || (g % 50)", 100_000)
		explained(t, db, due).check(t, name("few keys"), 60*batch, 50*17)
		exec(`UPDATE bunnicula_outbox SET due = now() + interval '1 hour' WHERE id IN (SELECT min(id) FROM bunnicula_outbox WHERE id LIKE 'few-%' GROUP BY key)`)
		keys := takeKeys(batch, 16)
		noted(t, db, 60*batch, keys, "key").check(t, name("few keys, by their names"), 60*batch, 1)
		explained(t, db, keys, "").check(t, name("old keys, by their names"), 40*keysAtOnce, 1)
	}
}
