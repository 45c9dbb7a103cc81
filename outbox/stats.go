package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Stats are the numbers of the rows in an outbox, as [Box.Stats] returns them.
type Stats struct {
	Waiting int // due, or being published
	Delayed int // due later, because of a delay or a refusal
	Held    int // wait for the row that they need
	Failed  int // given up by a relay
	Sent    int // of a job: published, and not done
	Done    int // of a job
	Parked  int // of a job: given up by their consumer

	// Oldest is how long the row has waited that was due first. It is 0 if no row is due.
	Oldest time.Duration
}

// Stats counts the rows. It takes longer the more rows there are: some 0.1 s for a million.
func (b *Box) Stats(ctx context.Context) (Stats, error) {
	var s Stats
	err := b.db.QueryRowContext(ctx, b.dialect.text(`SELECT
(SELECT count(*) FROM bunnicula_outbox WHERE state = 0 AND key IS NULL AND due <= @now)
+ (SELECT count(*) FROM bunnicula_outbox WHERE state = 0 AND key IS NOT NULL AND due <= @now)
+ (SELECT count(*) FROM bunnicula_outbox WHERE state = 6),
(SELECT count(*) FROM bunnicula_outbox WHERE state = 0 AND key IS NULL AND due > @now)
+ (SELECT count(*) FROM bunnicula_outbox WHERE state = 0 AND key IS NOT NULL AND due > @now),
(SELECT count(*) FROM bunnicula_outbox WHERE state = 1),
(SELECT count(*) FROM bunnicula_outbox WHERE state = 5)`)).Scan(&s.Waiting, &s.Delayed, &s.Held, &s.Failed)
	if err == nil {
		err = b.ofJobs(ctx, &s)
	}
	if err == nil {
		s.Oldest, err = b.oldest(ctx)
	}
	if err != nil {
		return s, fmt.Errorf("outbox: stats: %w", explain(err))
	}
	return s, nil
}

// ofJobs counts rows that are there because of their job.
func (b *Box) ofJobs(ctx context.Context, s *Stats) error {
	const count = `SELECT state, count(*) FROM bunnicula_outbox WHERE job IS NOT NULL AND state IN (2, 3, 4) GROUP BY state`
	return b.byState(ctx, count, nil, func(state State, n int) {
		switch state {
		case Sent:
			s.Sent = n
		case Done:
			s.Done = n
		default:
			s.Parked = n
		}
	})
}

// byState calls f with each row of a SELECT of states and how many rows have them.
func (b *Box) byState(ctx context.Context, count string, args []any, f func(state State, n int)) error {
	return b.each(ctx, count, args, func(rows *sql.Rows) error {
		var state State
		var n int
		err := rows.Scan(&state, &n)
		if err == nil {
			f(state, n)
		}
		return err
	})
}

// oldest returns Stats.Oldest. It reads the first entry of each index.
func (b *Box) oldest(ctx context.Context) (time.Duration, error) {
	age := `@now - min(due)`
	if b.dialect == Postgres {
		age = `CAST(extract(epoch FROM now() - min(due)) * 1000000 AS bigint)`
	}
	var micros sql.NullInt64
	err := b.db.QueryRowContext(ctx, b.dialect.text(`SELECT `+age+` FROM (
SELECT min(due) AS due FROM bunnicula_outbox WHERE state = 0 AND key IS NULL
UNION ALL
SELECT min(due) AS due FROM bunnicula_outbox WHERE state = 0 AND key IS NOT NULL) d`)).Scan(&micros)
	return time.Duration(max(0, micros.Int64)) * time.Microsecond, err
}

// failedRows is how many rows are Failed, 1000 at most.
func (b *Box) failedRows(ctx context.Context) (n int, err error) {
	err = b.db.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM bunnicula_outbox WHERE state = 5 LIMIT 1000) f`).Scan(&n)
	return n, err
}
