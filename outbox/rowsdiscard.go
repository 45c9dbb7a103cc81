package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// StayError is the error of Discard about rows that it has left.
type StayError struct {
	Publishing int // they are being published or handled, or another transaction has locked them
	Needed     int // rows that are held need them
}

func (e *StayError) Error() string {
	var parts []string
	if e.Publishing > 0 {
		parts = append(parts, counted(e.Publishing, "is being published or handled", "are being published or handled"))
	}
	if e.Needed > 0 {
		parts = append(parts, counted(e.Needed, "is needed by rows that are held", "are needed by rows that are held"))
	}
	return "outbox: not discarded: " + strings.Join(parts, ", ")
}

// Is says that the error is ErrNeeded too.
func (e *StayError) Is(target error) bool { return target == ErrNeeded && e.Needed > 0 }

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 row " + one
	}
	return fmt.Sprintf("%d rows %s", n, many)
}

// Discard deletes rows that are waiting, held or failed, so that their messages are never
// published. It returns how many.
//
// A row of a job that was published stays until it is done. If that will not be, its job is never
// complete, and its rows stay for ever. So Discard deletes such a row too if the filter names it,
// which takes back nothing that was published:
//
//	parked  if the filter has IDs, Jobs, or Parked among its States: its message was discarded from
//	        the error queue
//	sent    if the filter has IDs, or Sent among its States: its message is handled without Once.
//	        It may yet be handled; then nothing tells of that any more
//	done    if the filter has Done among its States
//
// A row that is being published or handled is not deleted, and neither is one that rows which are
// held need, unless these are deleted too: they would be published although it was never done. The
// error is a *StayError then. Discard changes up to 500 rows in one transaction, so after an error
// some are deleted, and n says how many.
func (b *Box) Discard(ctx context.Context, f RowFilter) (n int, err error) {
	if err := f.toChange(); err != nil {
		return 0, err
	}
	found, err := b.survey(ctx, f, f.mayGo(taken))
	if err != nil {
		return 0, fmt.Errorf("outbox: discard rows: %w", explain(err))
	}
	if f.DryRun {
		return len(found), nil
	}
	// What needs a row was put after it. So those that need others are deleted before them.
	slices.Reverse(found)
	var stay StayError
	done := 0
	for ids := range chunks(found) {
		deleted, err := b.discard(ctx, f, ids, &stay)
		if n += deleted; err != nil {
			return n, fmt.Errorf("outbox: discard rows: %w", explain(err))
		}
		done += len(ids)
		f.progress(done, len(found))
	}
	if n > 0 {
		b.Kick() // what was behind them in their keys can go
	}
	if stay != (StayError{}) {
		return n, &stay
	}
	return n, nil
}

// discard is Discard for rows with these ids. It is one transaction. The rows are locked first, and
// only then looks whether others need them: a Put of one more waits for the lock, or was committed
// before it.
func (b *Box) discard(ctx context.Context, f RowFilter, ids []string, stay *StayError) (n int, err error) {
	tx, err := b.db.BeginTx(ctx, b.dialect.isolation())
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	locked, err := b.lock(ctx, tx, f, ids)
	if err != nil {
		return 0, err
	}
	free, err := b.free(ctx, tx, locked)
	if err != nil {
		return 0, err
	}
	if len(free) > 0 {
		c := new(condition)
		in(c, "id", free)
		if _, err := tx.ExecContext(ctx, b.dialect.text("DELETE FROM bunnicula_outbox WHERE "+c.String()), c.args...); err != nil {
			return 0, err
		}
	}
	c := f.condition(b.dialect)
	in(c, "id", ids)
	c.and(f.mayGo(taken))
	left := 0
	if err := tx.QueryRowContext(ctx, b.dialect.text("SELECT count(*) FROM bunnicula_outbox WHERE "+c.String()), c.args...).Scan(&left); err != nil {
		return 0, err
	}
	if err := tx.Commit(); err != nil {
		return 0, err
	}
	needed := len(locked) - len(free)
	stay.Needed += needed
	stay.Publishing += left - needed
	return len(free), nil
}

// mayGo is a condition of rows that Discard deletes, and of those in other states. What was
// published is only deleted by somebody who means it: a choice by queue or by age has it in by
// chance.
func (f RowFilter) mayGo(others ...State) string {
	states := append([]State{Waiting, Held, Failed}, others...)
	named := map[State]bool{Sent: len(f.IDs) > 0, Parked: len(f.IDs)+len(f.Jobs) > 0}
	for _, s := range []State{Sent, Done, Parked} {
		if named[s] || slices.Contains(f.States, s) {
			states = append(states, s)
		}
	}
	var numbers []string
	for _, s := range states {
		numbers = append(numbers, strconv.Itoa(int(s)))
	}
	return "state IN (" + strings.Join(numbers, ", ") + ")"
}

// lock returns which of the rows with these ids a RowFilter chooses and nobody publishes, and keeps
// them so until the end of the transaction.
func (b *Box) lock(ctx context.Context, tx *sql.Tx, f RowFilter, ids []string) ([]string, error) {
	c := f.condition(b.dialect)
	in(c, "id", ids)
	c.and(f.mayGo())
	statement := "UPDATE bunnicula_outbox SET state = state WHERE " + c.String() + " RETURNING id"
	if b.dialect == Postgres {
		statement = "SELECT id FROM bunnicula_outbox WHERE " + c.String() + " FOR UPDATE SKIP LOCKED"
	}
	var locked []string
	err := each(ctx, tx, b.dialect.text(statement), c.args, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		locked = append(locked, id)
		return err
	})
	return locked, err
}

// free returns which of the locked rows are needed by no row that stays.
func (b *Box) free(ctx context.Context, tx *sql.Tx, locked []string) ([]string, error) {
	if len(locked) == 0 {
		return nil, nil
	}
	c := new(condition)
	c.and("state = 1")
	in(c, "needs", locked)
	needs := map[string]string{} // what each held row needs
	err := each(ctx, tx, b.dialect.text("SELECT id, needs FROM bunnicula_outbox WHERE "+c.String()), c.args, func(rows *sql.Rows) error {
		var id, needed string
		err := rows.Scan(&id, &needed)
		needs[id] = needed
		return err
	})
	return unneeded(locked, needs), err
}

// unneeded returns which rows can be deleted, if each of needs stays that is not among them. A row
// that stays keeps the one that it needs, and that one its own.
func unneeded(rows []string, needs map[string]string) []string {
	chosen, stays := map[string]bool{}, map[string]bool{}
	for _, id := range rows {
		chosen[id] = true
	}
	for id := range needs {
		for needed, ok := needs[id]; ok && !chosen[id] && !stays[needed]; needed, ok = needs[needed] {
			stays[needed] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(rows), func(id string) bool { return stays[id] })
}
