package outbox

import (
	"context"
	"fmt"
)

// stuck are rows that Retry concerns: failed ones, and those that back off after an attempt. A row
// that was put with a delay does not back off.
const stuck = "state = 5 OR state = 0 AND due > @now AND (attempts > 0 OR error IS NOT NULL)"

// Retry makes failed rows, and those that back off after a failed attempt, due now, with all their
// attempts before them. It returns how many; other rows are left alone. The error of the last
// attempt stays until the next one. It changes up to 500 rows in one transaction, so after an error
// some are changed, and n says how many.
func (b *Box) Retry(ctx context.Context, f RowFilter) (n int, err error) {
	if err := f.toChange(); err != nil {
		return 0, err
	}
	found, err := b.survey(ctx, f, stuck)
	if err != nil {
		return 0, fmt.Errorf("outbox: retry rows: %w", explain(err))
	}
	if f.DryRun {
		return len(found), nil
	}
	done := 0
	for ids := range chunks(found) {
		changed, err := b.retry(ctx, f, ids)
		if n += changed; err != nil {
			return n, fmt.Errorf("outbox: retry rows: %w", explain(err))
		}
		done += len(ids)
		f.progress(done, len(found))
	}
	if n > 0 {
		b.Kick()
	}
	return n, nil
}

// retry is Retry for rows with these ids.
func (b *Box) retry(ctx context.Context, f RowFilter, ids []string) (int, error) {
	c := f.condition(b.dialect)
	in(c, "id", ids)
	c.and(stuck)
	chosen := "SELECT id FROM bunnicula_outbox WHERE " + c.String()
	if b.dialect == Postgres {
		chosen += " FOR UPDATE SKIP LOCKED" // a relay has begun the others meanwhile
	}
	r, err := b.db.ExecContext(ctx, b.dialect.text("UPDATE bunnicula_outbox SET attempts = 0, due = @now, state = 0, "+
		"changed = CASE WHEN state = 0 THEN changed ELSE @now END WHERE id IN ("+chosen+")"), c.args...)
	if err != nil {
		return 0, err
	}
	changed, err := r.RowsAffected()
	return int(changed), err
}

// chunks returns the ids of rows, at most pageRows at a time.
func chunks(all []surveyed) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		for len(all) > 0 {
			n := min(len(all), pageRows)
			ids := make([]string, n)
			for i, one := range all[:n] {
				ids[i] = one.id
			}
			if all = all[n:]; !yield(ids) {
				return
			}
		}
	}
}

func (f RowFilter) progress(done, of int) {
	if f.Progress != nil {
		f.Progress(done, of)
	}
}
