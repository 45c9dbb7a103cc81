package outbox

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"
)

const (
	maxTake    = 30 * time.Second // how long a look may take
	maxPublish = 10 * time.Second // how long the rows of a haul are published
	maxSettle  = 5 * time.Second  // how long settling takes after that
)

// postgres takes rows by locking them. The locks are the lease: they end with the transaction, or
// with its connection.
type postgres struct {
	db    *sql.DB // immutable
	batch int     // immutable
}

// planned has the planner take the indexes in their order. The tables may have no statistics yet,
// or those of another hour: by them it would read and sort all rows that are due.
//
// The transaction is idle while the broker answers. A shorter limit of the database would end it
// each time, and the same rows would be published for ever. The limit of ours ends the locks of a
// process that stands still.
const planned = `SELECT set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true), set_config('jit', 'off', true),
set_config('idle_in_transaction_session_timeout', '30s', true)`

func (p *postgres) take(ctx context.Context, ask ask) (*haul, error) {
	// The transaction outlives ctx, once it has rows: what was published must be written down.
	// Before that, ctx ends the wait for a connection of the pool, too.
	open, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxTake+maxPublish+maxSettle)
	keep := context.AfterFunc(ctx, cancel)
	defer keep()
	tx, err := p.db.BeginTx(open, Postgres.isolation())
	if err != nil {
		cancel()
		return nil, err
	}
	h := &haul{settler: &locked{tx: tx, ctx: open, cancel: cancel}}
	if _, err = tx.ExecContext(ctx, planned); err == nil {
		err = p.read(ctx, tx, h, ask)
		h.taken = time.Now()
	}
	if err == nil && !keep() {
		err = context.Cause(ctx)
	}
	if err != nil {
		h.settler.drop()
		return nil, err
	}
	return h, nil
}

// read locks rows that are ready, and reads them.
func (p *postgres) read(ctx context.Context, tx *sql.Tx, h *haul, ask ask) error {
	statement, args, limit := takeDue(p.batch, ask.followers), []any(nil), window*p.batch
	if ask.scan.keys {
		statement, args, limit = takeKeys(p.batch, ask.followers), []any{ask.scan.after}, keysAtOnce
	}
	rows, err := tx.QueryContext(ctx, statement, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var r row
		var looked, place int
		var key string
		if err := rows.Scan(append([]any{&looked, &h.seen.last, &place, &r.tid, &key}, r.fields()...)...); err != nil {
			return err
		}
		h.seen.full = looked == limit
		if r.tid != "" {
			h.add(&r, key, place)
		}
	}
	return errors.Join(rows.Err(), rows.Close())
}

// stop has nothing to give back: no transaction is open.
func (p *postgres) stop(context.Context) error { return nil }

// locked is the transaction that has the rows of a haul.
type locked struct {
	tx     *sql.Tx            // immutable
	ctx    context.Context    // immutable: that of the transaction
	cancel context.CancelFunc // immutable
}

func (l *locked) drop() {
	_ = l.tx.Rollback() // the connection may be gone, and the locks with it
	l.cancel()
}

func (l *locked) settle(_ context.Context, r results) error {
	defer l.drop()
	defer time.AfterFunc(maxSettle, l.cancel).Stop()
	if err := l.write(r); err != nil {
		return err
	}
	return l.tx.Commit()
}

func (l *locked) write(r results) error {
	if err := l.change(`DELETE FROM bunnicula_outbox WHERE ctid = ANY($1::text::tid[])`, r.gone); err != nil {
		return err
	}
	if err := l.change(`UPDATE bunnicula_outbox SET state = 2, error = NULL, changed = clock_timestamp() WHERE ctid = ANY($1::text::tid[])`, r.sent); err != nil {
		return err
	}
	for o, rows := range r.others {
		err := l.change(`UPDATE bunnicula_outbox SET state = $2::int, attempts = attempts + 1, error = $3::text, changed = clock_timestamp(),
due = clock_timestamp() + $4::bigint * interval '1 microsecond' WHERE ctid = ANY($1::text::tid[])`, rows, int(o.state()), o.text, o.wait.Microseconds())
		if err != nil {
			return err
		}
	}
	return nil
}

// change runs a statement for rows. No index has to be searched for them.
func (l *locked) change(statement string, rows []*row, args ...any) error {
	if len(rows) == 0 {
		return nil
	}
	tids := make([]string, len(rows))
	for i, r := range rows {
		tids[i] = `"` + r.tid + `"`
	}
	all := append([]any{"{" + strings.Join(tids, ",") + "}"}, args...)
	_, err := l.tx.ExecContext(l.ctx, statement, all...)
	return err
}
