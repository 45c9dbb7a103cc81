package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
)

// lease is how long a relay may be silent before another one takes its place on SQLite. One that
// lives publishes and settles within it.
const lease = maxPublish + maxSettle + 5*time.Second

// errLeaseLost is why a haul is not settled: another relay has put its rows back.
var errLeaseLost = errors.New("another relay has taken the lease, because this one was silent for too long")

// sqlite takes rows by their state, since SQLite has no locks of rows. Who has the lease may do so,
// and has nothing in hand when it takes: so each row that is taken then was left by somebody who
// did not settle.
type sqlite struct {
	db     *sql.DB // immutable
	batch  int     // immutable
	holder string  // immutable: of the lease

	hasLease bool // written by who takes: the lease was taken, and not given back
}

func (s *sqlite) text(statement string) string { return SQLite.text(statement) }

func (s *sqlite) take(ctx context.Context, ask ask) (*haul, error) {
	found, err := s.look(ctx)
	if err != nil || !found {
		return &haul{settler: nothing{}}, err
	}
	h := &haul{}
	h.settler = &inHand{sqlite: s, ctx: context.WithoutCancel(ctx), haul: h}
	err = s.within(ctx, func(tx *sql.Tx) error {
		h.chains, h.byKey, h.seen = nil, nil, seen{} // of an earlier try
		h.taken = time.Now()
		return s.read(ctx, tx, h, ask)
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

// look says whether there may be something to do, without writing: a relay that waits leaves the
// disk in peace.
func (s *sqlite) look(ctx context.Context) (found bool, err error) {
	err = s.db.QueryRowContext(ctx, s.text(`SELECT EXISTS (SELECT 1 FROM bunnicula_outbox WHERE state = 0 AND key IS NULL AND due <= @now)
OR EXISTS (SELECT 1 FROM bunnicula_outbox WHERE state = 0 AND key IS NOT NULL AND due <= @now)
OR EXISTS (SELECT 1 FROM bunnicula_outbox WHERE state = 6)`)).Scan(&found)
	return found, err
}

// read takes the lease, puts back what nobody has in hand any more, and takes rows.
func (s *sqlite) read(ctx context.Context, tx *sql.Tx, h *haul, ask ask) error {
	n, err := changed(tx.ExecContext(ctx, s.text(`INSERT INTO bunnicula_relay (one, holder, until) VALUES (1, $1, @now + $2)
ON CONFLICT (one) DO UPDATE SET holder = excluded.holder, until = excluded.until WHERE holder = excluded.holder OR until <= @now`), s.holder, lease.Microseconds()))
	if err != nil {
		return err
	}
	if n == 0 {
		h.seen.busy = true
		return nil
	}
	s.hasLease = true
	if _, err := tx.ExecContext(ctx, `UPDATE bunnicula_outbox SET state = 0 WHERE state = 6`); err != nil {
		return err
	}
	size, err := s.free(ctx, tx, h)
	if err == nil {
		err = s.keyed(ctx, tx, h, ask, size)
	}
	if err != nil {
		return err
	}
	var all []*row
	for _, c := range h.chains {
		all = append(all, c...)
	}
	return change(ctx, tx, `UPDATE bunnicula_outbox SET state = 6`, all)
}

// free takes rows without a key.
func (s *sqlite) free(ctx context.Context, tx *sql.Tx, h *haul) (size int, err error) {
	err = s.each(ctx, tx, func(rows *sql.Rows) (bool, error) {
		var r row
		if err := rows.Scan(r.fields()...); err != nil {
			return false, err
		}
		h.add(&r, "", 0)
		size += len(r.body)
		return size < maxBytes, nil
	}, `SELECT `+columns+` FROM bunnicula_outbox o WHERE o.state = 0 AND o.key IS NULL AND o.due <= @now ORDER BY o.due, o.seq LIMIT $1`, s.batch)
	return size, err
}

// keyed takes rows of keys, behind bodies of that size.
func (s *sqlite) keyed(ctx context.Context, tx *sql.Tx, h *haul, ask ask, size int) error {
	keys, err := s.keys(ctx, tx, h, ask)
	if err != nil {
		return err
	}
	heads := 0
	for _, key := range keys {
		if size >= maxBytes || heads >= s.batch || h.seen.keyed >= 2*s.batch {
			break
		}
		place := 0
		err := s.each(ctx, tx, func(rows *sql.Rows) (bool, error) {
			var r row
			var ready bool
			if err := rows.Scan(append(r.fields(), &ready)...); err != nil || !ready {
				return false, err
			}
			h.add(&r, key, place)
			place++
			size += len(r.body)
			return size < maxBytes, nil
		}, `SELECT `+columns+`, o.state = 0 AND o.due <= @now FROM bunnicula_outbox o
WHERE o.key = $1 AND o.key IS NOT NULL AND o.state IN (0, 1, 5, 6) ORDER BY o.seq LIMIT $2`, key, 1+ask.followers)
		if err != nil {
			return err
		}
		heads += min(place, 1)
	}
	return nil
}

// keys returns the keys that a scan looks at.
func (s *sqlite) keys(ctx context.Context, tx *sql.Tx, h *haul, ask ask) (keys []string, err error) {
	read := func(into ...any) func(*sql.Rows) (bool, error) {
		return func(rows *sql.Rows) (bool, error) {
			var key string
			err := rows.Scan(append([]any{&key}, into...)...)
			keys = append(keys, key)
			return true, err
		}
	}
	if ask.scan.keys {
		err = s.each(ctx, tx, read(), `WITH RECURSIVE k AS (
SELECT (SELECT key FROM bunnicula_outbox WHERE key > $1 AND key IS NOT NULL AND state IN (0, 1, 5, 6) ORDER BY key LIMIT 1) AS key
UNION ALL
SELECT (SELECT o.key FROM bunnicula_outbox o WHERE o.key > k.key AND o.key IS NOT NULL AND o.state IN (0, 1, 5, 6) ORDER BY o.key LIMIT 1) FROM k WHERE k.key IS NOT NULL)
SELECT key FROM k WHERE key IS NOT NULL LIMIT $2`, ask.scan.after, keysAtOnce)
		if h.seen.full = len(keys) == keysAtOnce; h.seen.full {
			h.seen.last = keys[len(keys)-1]
		}
		return keys, err
	}
	var looked int
	err = s.each(ctx, tx, read(&looked), `SELECT key, sum(count(*)) OVER () FROM (
SELECT key, due FROM bunnicula_outbox WHERE state = 0 AND key IS NOT NULL AND due <= @now ORDER BY due, seq LIMIT $1)
GROUP BY key ORDER BY min(due)`, window*s.batch)
	h.seen.full = looked == window*s.batch
	return keys, err
}

// each calls f for each row of an answer, until it returns false.
func (s *sqlite) each(ctx context.Context, tx *sql.Tx, f func(*sql.Rows) (bool, error), statement string, args ...any) error {
	rows, err := tx.QueryContext(ctx, s.text(statement), args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if more, err := f(rows); err != nil || !more {
			return err
		}
	}
	return rows.Err()
}

// stop gives the lease back, so that another relay need not wait for its end.
func (s *sqlite) stop(ctx context.Context) error {
	if !s.hasLease {
		return nil
	}
	return s.within(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, s.text(`DELETE FROM bunnicula_relay WHERE holder = $1`), s.holder)
		return err
	})
}

// within runs f in a transaction, again and again while others write, until ctx ends. The first
// statement of f writes, so that SQLite tells at once.
func (s *sqlite) within(ctx context.Context, f func(*sql.Tx) error) error {
	pause := backoff.Backoff{Min: 5 * time.Millisecond, Max: 250 * time.Millisecond}
	for {
		err := once(ctx, s.db, SQLite, f)
		if !isBusy(err) || !backoff.Wait(ctx, pause.Next()) {
			return err
		}
	}
}

func once(ctx context.Context, db *sql.DB, dialect Dialect, f func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, dialect.isolation())
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}

func changed(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// inHand is a haul of SQLite's. No transaction is open.
type inHand struct {
	sqlite *sqlite         // immutable
	ctx    context.Context // immutable; without an end
	haul   *haul           // immutable
}

// drop writes nothing: the next take puts the rows back.
func (i *inHand) drop() {
	ctx, cancel := context.WithTimeout(i.ctx, maxSettle)
	defer cancel()
	_ = i.write(ctx, results{}) // the next take does it, if this one cannot
}

// settle waits for others that write, such as a handler of Once, as long as the lease lasts: what
// is not written down is published again, and behind later rows of its key.
func (i *inHand) settle(hurry context.Context, r results) error {
	ctx, cancel := context.WithTimeout(i.ctx, max(maxSettle, time.Until(i.haul.taken.Add(lease))))
	defer cancel()
	defer context.AfterFunc(hurry, func() { time.AfterFunc(maxSettle, cancel) })()
	return i.write(ctx, r)
}

// write writes what became of the rows, and puts the others back.
func (i *inHand) write(ctx context.Context, r results) error {
	s := i.sqlite
	return s.within(ctx, func(tx *sql.Tx) error {
		n, err := changed(tx.ExecContext(ctx, s.text(`UPDATE bunnicula_relay SET until = @now + $2 WHERE holder = $1`), s.holder, lease.Microseconds()))
		switch {
		case err != nil:
			return err
		case n == 0:
			s.hasLease = false
			return errLeaseLost
		}
		if err := change(ctx, tx, `DELETE FROM bunnicula_outbox`, r.gone); err != nil {
			return err
		}
		if err := change(ctx, tx, s.text(`UPDATE bunnicula_outbox SET state = 2, error = NULL, changed = @now`), r.sent); err != nil {
			return err
		}
		for o, rows := range r.others {
			set := s.text(`UPDATE bunnicula_outbox SET state = $1, attempts = attempts + 1, error = $2, changed = @now, due = @now + $3`)
			if err := change(ctx, tx, set, rows, int(o.state()), o.text, o.wait.Microseconds()); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE bunnicula_outbox SET state = 0 WHERE state = 6`)
		return err
	})
}

// change runs a statement for rows that are taken. One that Once has marked meanwhile stays as it
// is.
func change(ctx context.Context, tx *sql.Tx, statement string, rows []*row, args ...any) error {
	if len(rows) == 0 {
		return nil
	}
	var in strings.Builder
	for i, r := range rows {
		if i > 0 {
			in.WriteByte(',')
		}
		in.WriteString(strconv.FormatInt(r.seq, 10))
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf("%s WHERE state IN (0, 6) AND seq IN (%s)", statement, &in), args...)
	return err
}

// nothing is the settler of a haul without rows.
type nothing struct{}

func (nothing) settle(context.Context, results) error { return nil }
func (nothing) drop()                                 {}
