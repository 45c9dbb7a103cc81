package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
)

const (
	cleanEvery  = time.Minute
	cleanAtOnce = 1000           // rows that one transaction removes, and jobs that one looks at
	keepMarks   = 24 * time.Hour // how much longer than Keep a mark is kept
	cleanerLock = 0x62756e6e6978 // of PostgreSQL's advisory locks: one relay at a time cleans
)

// janitor removes what is no longer needed, and releases what waits in vain. It works in small
// transactions, so that nobody waits for it.
type janitor struct {
	box *Box         // immutable
	log *slog.Logger // immutable

	// Only its goroutine uses these.
	after string // the last job that was looked at; the next look begins behind it
	told  bool   // that it does not get on is in the log
}

func (j *janitor) run(ctx context.Context) {
	for backoff.Wait(ctx, cleanEvery) {
		err := j.clean(ctx)
		if err != nil && ctx.Err() == nil && !j.told {
			j.log.Warn("the outbox is not cleaned up", "err", err)
		}
		j.told = err != nil
	}
}

func (j *janitor) clean(ctx context.Context) error {
	return errors.Join(j.marks(ctx), j.jobs(ctx), j.held(ctx))
}

// marksKept is how long marks are kept. A Keep that stands for ever is not to become a time
// before 0.
func marksKept(keep time.Duration) time.Duration {
	return min(keep, math.MaxInt64-keepMarks) + keepMarks
}

// marks removes marks that Once does not look at any more.
func (j *janitor) marks(ctx context.Context) error {
	statement := `DELETE FROM bunnicula_inbox WHERE (consumer, id) IN (SELECT consumer, id FROM bunnicula_inbox WHERE at < @now - $1 LIMIT 1000)`
	if j.box.dialect == Postgres {
		statement = `DELETE FROM bunnicula_inbox WHERE ctid = ANY(ARRAY(SELECT ctid FROM bunnicula_inbox WHERE at < now() - $1::bigint * interval '1 microsecond' LIMIT 1000))`
	}
	if err := j.all(ctx, statement, marksKept(j.box.cfg.Keep).Microseconds()); err != nil {
		return fmt.Errorf("marks: %w", err)
	}
	return nil
}

// held releases rows whose needed row is done or gone: a safety net under Once, which does that in
// the transaction in which a row is done.
func (j *janitor) held(ctx context.Context) error {
	const statement = `UPDATE bunnicula_outbox SET state = 0, changed = @now WHERE state = 1 AND id IN (SELECT h.id FROM bunnicula_outbox h
WHERE h.state = 1 AND NOT EXISTS (SELECT 1 FROM bunnicula_outbox n WHERE n.id = h.needs AND n.state <> 3) LIMIT 1000)`
	if err := j.all(ctx, statement); err != nil {
		return fmt.Errorf("held rows: %w", err)
	}
	return nil
}

// jobs removes the rows of jobs that are done for long. It looks at some jobs each time, one after
// the other by their names: there may be many that are not done.
func (j *janitor) jobs(ctx context.Context) error {
	done, last, err := j.finished(ctx)
	if err != nil {
		return fmt.Errorf("jobs: %w", err)
	}
	j.after = last
	for _, job := range done {
		statement := `DELETE FROM bunnicula_outbox WHERE state = 3 AND id IN (SELECT id FROM bunnicula_outbox WHERE job = $2 AND state = 3 AND changed < ` + j.ago() + ` LIMIT 1000)`
		if err := j.all(ctx, statement, j.box.cfg.Keep.Microseconds(), job); err != nil {
			return fmt.Errorf("job %q: %w", job, err)
		}
	}
	return nil
}

// ago is the time $1 microseconds ago.
func (j *janitor) ago() string {
	if j.box.dialect == Postgres {
		return `now() - $1::bigint * interval '1 microsecond'`
	}
	return `@now - $1`
}

// finished returns, of the next jobs, those whose rows have all been done for Keep, and the last
// one that it has looked at: "" at the end.
func (j *janitor) finished(ctx context.Context) (done []string, last string, err error) {
	statement := `WITH RECURSIVE k AS (
SELECT (SELECT min(job) FROM bunnicula_outbox WHERE job IS NOT NULL AND job > CAST($2 AS TEXT)) AS job
UNION ALL
SELECT (SELECT min(o.job) FROM bunnicula_outbox o WHERE o.job IS NOT NULL AND o.job > k.job) FROM k WHERE k.job IS NOT NULL)
SELECT j.job, NOT EXISTS (SELECT 1 FROM bunnicula_outbox o WHERE o.job = j.job AND o.state < 3)
AND NOT EXISTS (SELECT 1 FROM bunnicula_outbox o WHERE o.job = j.job AND o.state > 3)
AND NOT EXISTS (SELECT 1 FROM bunnicula_outbox o WHERE o.job = j.job AND o.state = 3 AND o.changed >= ` + j.ago() + `)
FROM (SELECT job FROM k WHERE job IS NOT NULL LIMIT 1000) j`
	err = j.within(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, j.box.dialect.text(statement), j.box.cfg.Keep.Microseconds(), j.after)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		seen := 0
		for ; rows.Next(); seen++ {
			var isDone bool
			if err := rows.Scan(&last, &isDone); err != nil {
				return err
			}
			if isDone {
				done = append(done, last)
			}
		}
		if seen < cleanAtOnce {
			last = ""
		}
		return rows.Err()
	})
	return done, last, err
}

// all runs a statement that changes up to cleanAtOnce rows, until there are no more.
func (j *janitor) all(ctx context.Context, statement string, args ...any) error {
	for {
		var n int64
		err := j.within(ctx, func(tx *sql.Tx) (err error) {
			n, err = changed(tx.ExecContext(ctx, j.box.dialect.text(statement), args...))
			return err
		})
		if err != nil || n < cleanAtOnce {
			return err
		}
	}
}

// within runs f in a transaction; on PostgreSQL only if no other relay cleans.
func (j *janitor) within(ctx context.Context, f func(tx *sql.Tx) error) error {
	if j.box.dialect == SQLite {
		return (&sqlite{db: j.box.db}).within(ctx, f)
	}
	return once(ctx, j.box.db, Postgres, func(tx *sql.Tx) error {
		var free bool
		if err := tx.QueryRowContext(ctx, `SELECT pg_try_advisory_xact_lock($1)`, int64(cleanerLock)).Scan(&free); err != nil || !free {
			return err
		}
		if _, err := tx.ExecContext(ctx, `SELECT set_config('enable_seqscan', 'off', true), set_config('jit', 'off', true)`); err != nil {
			return err
		}
		return f(tx)
	})
}
