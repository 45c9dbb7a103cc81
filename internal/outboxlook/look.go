package outboxlook

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/outbox"
)

// Looker asks what the tables of an outbox hold beyond what a Box tells. It changes nothing.
type Looker struct {
	DB      *sql.DB
	Dialect outbox.Dialect
}

// before is a condition of rows that hold those behind them in their key, as the index has it.
func (l Looker) before() string {
	if l.Dialect == outbox.Postgres {
		return "state IN (0, 1, 5)"
	}
	return "state IN (0, 1, 5, 6)"
}

// now is the database's time.
func (l Looker) now() string {
	if l.Dialect == outbox.Postgres {
		return "now()"
	}
	return strconv.FormatInt(time.Now().UnixMicro(), 10)
}

// until is how many microseconds there are from now until a column's time.
func (l Looker) until(column string) string {
	if l.Dialect == outbox.Postgres {
		return "CAST(extract(epoch FROM " + column + " - now()) * 1000000 AS bigint)"
	}
	return column + " - " + l.now()
}

// Now returns the database's time, to compare with the times of rows.
func (l Looker) Now(ctx context.Context) (time.Time, error) {
	if l.Dialect != outbox.Postgres {
		return time.Now(), nil // SQLite has the clock of whoever uses it
	}
	var now time.Time
	err := l.DB.QueryRowContext(ctx, "SELECT clock_timestamp()").Scan(&now)
	return now, err
}

// Apart is how much later the database's clock is than this machine's; below 0 is earlier. Half the
// time of the question is its error.
func (l Looker) Apart(ctx context.Context) (time.Duration, error) {
	asked := time.Now()
	now, err := l.Now(ctx)
	if err != nil || l.Dialect != outbox.Postgres {
		return 0, err
	}
	took := time.Since(asked)
	apart := now.Sub(asked.Add(took / 2))
	if apart.Abs() < took {
		return 0, nil
	}
	return apart, nil
}

// Wait is a row for which others wait.
type Wait struct {
	Rows int    // how many wait
	Key  string // they are behind it in this key; "" if they need it
	ID   string
	// The state of the row. Gone says that there is none any more, and that the others wait for
	// nothing.
	State outbox.State
	Gone  bool

	Target Target
	Error  string
	Until  time.Duration // until it is due, if it is waiting
}

// Target is where rows go.
type Target struct{ Exchange, RoutingKey string }

func (t Target) String() string {
	if t.Exchange == "" {
		return t.RoutingKey
	}
	return t.Exchange + "/" + t.RoutingKey
}

// Waits returns the rows for which most others wait, at most so many: those that the held ones
// need, and those that hold a key and are not published now.
func (l Looker) Waits(ctx context.Context, most int) ([]Wait, error) {
	// The first of a key is found by its index. A join on its seq made PostgreSQL read all rows.
	first := "(SELECT e.id FROM bunnicula_outbox e WHERE e.key = g.key AND " + strings.ReplaceAll(l.before(), "state", "e.state") + " ORDER BY e.seq LIMIT 1)"
	heads := "SELECT g.n, h.key, h.id, h.state, h.exchange, h.routing_key, h.error, " + l.until("h.due") + " AS until FROM (" +
		"SELECT key, count(*) - 1 AS n FROM bunnicula_outbox WHERE key IS NOT NULL AND " + l.before() +
		" GROUP BY key HAVING count(*) > 1) g JOIN bunnicula_outbox h ON h.id = " + first +
		" WHERE h.state IN (1, 5) OR h.state = 0 AND h.due > " + l.now()
	needs := "SELECT g.n, NULL AS key, g.needs AS id, r.state, r.exchange, r.routing_key, r.error, " + l.until("r.due") + " AS until FROM (" +
		"SELECT needs, count(*) AS n FROM bunnicula_outbox WHERE state = 1 GROUP BY needs) g" +
		" LEFT JOIN bunnicula_outbox r ON r.id = g.needs"
	var waits []Wait
	err := l.each(ctx, fmt.Sprintf("SELECT * FROM (%s UNION ALL %s) w ORDER BY 1 DESC, 3 LIMIT %d", heads, needs, most), func(rows *sql.Rows) error {
		var w Wait
		var key, id, exchange, routingKey, text sql.NullString
		var state, until sql.NullInt64
		err := rows.Scan(&w.Rows, &key, &id, &state, &exchange, &routingKey, &text, &until)
		w.Key, w.ID, w.Target, w.Error = key.String, id.String, Target{exchange.String, routingKey.String}, text.String
		w.State, w.Gone = outbox.State(state.Int64), !state.Valid
		if state.Int64 == taken {
			w.State = outbox.Waiting
		}
		w.Until = time.Duration(until.Int64) * time.Microsecond
		waits = append(waits, w)
		return err
	})
	return waits, err
}

// taken is the state of a row that SQLite's relay is publishing.
const taken = 6

// Failed are rows that failed with one error.
type Failed struct {
	Target Target
	Error  string
	Rows   int
	Sample string // the id of one
}

// Failed counts failed rows by target and error, the most frequent first, at most so many.
func (l Looker) Failed(ctx context.Context, most int) ([]Failed, error) {
	var failed []Failed
	err := l.each(ctx, fmt.Sprintf("SELECT exchange, routing_key, coalesce(error, ''), count(*), min(id) FROM bunnicula_outbox"+
		" WHERE state = 5 GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3 LIMIT %d", most), func(rows *sql.Rows) error {
		var f Failed
		err := rows.Scan(&f.Target.Exchange, &f.Target.RoutingKey, &f.Error, &f.Rows, &f.Sample)
		failed = append(failed, f)
		return err
	})
	return failed, err
}

// Targets counts rows that are to be published by where they go, at most so many targets.
func (l Looker) Targets(ctx context.Context, most int) (map[Target]int, error) {
	targets := map[Target]int{}
	err := l.each(ctx, fmt.Sprintf("SELECT exchange, routing_key, count(*) FROM bunnicula_outbox WHERE %s"+
		" GROUP BY 1, 2 ORDER BY 3 DESC LIMIT %d", l.before(), most), func(rows *sql.Rows) error {
		var t Target
		var n int
		err := rows.Scan(&t.Exchange, &t.RoutingKey, &n)
		targets[t] = n
		return err
	})
	return targets, err
}

// Free returns for how long the oldest row has been due that a relay could publish at once: no row
// before it holds its key. It is 0 if there is none.
func (l Looker) Free(ctx context.Context) (time.Duration, error) {
	// Rows with a key and those without have an index each.
	oldest := "(SELECT min(o.due) FROM bunnicula_outbox o WHERE o.state = 0 AND o.due <= " + l.now() + " AND o.key "
	keyless := oldest + "IS NULL)"
	heads := oldest + "IS NOT NULL AND NOT EXISTS (SELECT 1 FROM bunnicula_outbox e WHERE e.key = o.key AND e.seq < o.seq AND " +
		strings.ReplaceAll(l.before(), "state", "e.state") + "))"
	var until sql.NullInt64
	err := l.DB.QueryRowContext(ctx, "SELECT "+l.until("min(d.due)")+" FROM (SELECT "+keyless+" AS due UNION ALL SELECT "+heads+" AS due) d").Scan(&until)
	return max(0, -time.Duration(until.Int64)*time.Microsecond), err
}

func (l Looker) each(ctx context.Context, statement string, f func(*sql.Rows) error) error {
	rows, err := l.DB.QueryContext(ctx, statement)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // Err has what went wrong
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
