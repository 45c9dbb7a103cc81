package outbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// produce makes one transaction after the other until ctx ends.
func (p *part) produce(ctx context.Context) error {
	fmt.Println(readyLine, p.Name)
	for i := 0; ctx.Err() == nil; i++ {
		o := order{part: p, name: fmt.Sprintf("%s/%d", p.Name, i)}
		if err := o.carryOut(ctx); errors.Is(err, errWrong) {
			return err
		} else if err != nil {
			sleep(ctx, 20*time.Millisecond) // the database is away
		}
		sleep(ctx, time.Duration(p.rng.IntN(40))*time.Millisecond)
	}
	return nil
}

// errWrong is not the fault of whoever breaks things.
var errWrong = errors.New("wrong")

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// order is one transaction of a producer, or two.
type order struct {
	*part
	name string
}

func (o order) carryOut(ctx context.Context) error {
	var put func(context.Context, *sql.Tx) error
	switch dice := o.rng.IntN(100); {
	case dice < 45:
		put = o.plain
	case dice < 75:
		put = o.keyed
	case dice < 85:
		put = o.job
	case dice < 90:
		put = o.one(message{ID: o.name, Kind: poison})
	case dice < 92:
		put = o.one(message{ID: o.name, Kind: nowhere})
	case dice < 95:
		put = o.twice
	default:
		return o.cancelled(ctx)
	}
	return o.transaction(ctx, put)
}

// transaction runs f in a transaction, which is committed, rolled back or broken off.
func (o order) transaction(ctx context.Context, f func(context.Context, *sql.Tx) error) error {
	tx, err := o.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := f(ctx, tx); err != nil {
		return err
	}
	end := o.rng.IntN(200)
	switch {
	case end < 40:
		return tx.Rollback()
	case end == 40:
		die()
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	if end == 41 {
		die()
	}
	if end%2 == 0 {
		o.box.Kick()
	}
	return nil
}

// put puts a message, and its line into the ledger.
func (p *part) put(ctx context.Context, tx *sql.Tx, m message) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO ledger (id, kind, key, n, job, needs) VALUES ($1, $2, $3, $4, $5, $6)`,
		m.ID, string(m.Kind), m.Key, m.N, m.Job, m.Needs)
	if err != nil {
		return err
	}
	options := []publisher.Option{outbox.ID(m.ID), publisher.Exchange(p.Prefix)}
	if m.Key != "" {
		options = append(options, outbox.Key(m.Key))
	}
	if m.Job != "" {
		options = append(options, outbox.Job(m.Job))
	}
	if m.Needs != "" {
		options = append(options, outbox.After(m.Needs))
	}
	if d := m.delay(); d > 0 {
		options = append(options, publisher.Delay(d))
	}
	return p.box.Put(ctx, tx, m.Kind.route(), m, options...)
}

func (o order) one(m message) func(context.Context, *sql.Tx) error {
	return func(ctx context.Context, tx *sql.Tx) error { return o.put(ctx, tx, m) }
}

// plain is a few messages without a key, some of them for later.
func (o order) plain(ctx context.Context, tx *sql.Tx) error {
	for i := range 1 + o.rng.IntN(3) {
		m := message{ID: fmt.Sprintf("%s/%d", o.name, i), Kind: work}
		if o.rng.IntN(6) == 0 {
			m.Due = time.Now().Add(time.Duration(o.rng.IntN(2000)) * time.Millisecond).UnixMicro()
		}
		if err := o.put(ctx, tx, m); err != nil {
			return err
		}
	}
	return nil
}

// keyed locks the row of a key, and puts the next messages of that key.
func (o order) keyed(ctx context.Context, tx *sql.Tx) error {
	key := keys[o.rng.IntN(len(keys))]
	for i := range 1 + o.rng.IntN(4) {
		m := message{ID: fmt.Sprintf("%s/%d", o.name, i), Kind: work, Key: key}
		if err := tx.QueryRowContext(ctx, `UPDATE counters SET n = n + 1 WHERE key = $1 RETURNING n`, key).Scan(&m.N); err != nil {
			return err
		}
		if err := o.put(ctx, tx, m); err != nil {
			return err
		}
	}
	return nil
}

// job is four messages, of which the last needs two others, one after the other. It may be poison.
func (o order) job(ctx context.Context, tx *sql.Tx) error {
	last := work
	if o.rng.IntN(6) == 0 {
		last = poison
	}
	for _, m := range []message{
		{ID: "a", Kind: work},
		{ID: "b", Kind: work, Needs: "a"},
		{ID: "c", Kind: work, Needs: "a"},
		{ID: "d", Kind: last, Needs: "b"},
	} {
		m.ID, m.Job = o.name+"/"+m.ID, o.name
		if m.Needs != "" {
			m.Needs = o.name + "/" + m.Needs
		}
		if err := o.put(ctx, tx, m); err != nil {
			return err
		}
	}
	return nil
}

// twice puts an id a second time, which is refused and leaves the transaction as it was.
func (o order) twice(ctx context.Context, tx *sql.Tx) error {
	m := message{ID: o.name, Kind: work}
	if err := o.put(ctx, tx, m); err != nil {
		return err
	}
	err := o.box.Put(ctx, tx, m.Kind.route(), m, outbox.ID(m.ID), publisher.Exchange(o.Prefix))
	switch {
	case err == nil:
		return fmt.Errorf("%w: id %s was put twice", errWrong, m.ID)
	case !errors.Is(err, outbox.ErrDuplicate):
		return err
	}
	m.ID += "/again"
	return o.put(ctx, tx, m)
}

// cancelled puts a message for later, and takes it back.
func (o order) cancelled(ctx context.Context) error {
	m := message{ID: o.name, Kind: far, Due: time.Now().Add(time.Hour).UnixMicro()}
	if err := o.transaction(ctx, o.one(m)); err != nil {
		return err
	}
	return o.transaction(ctx, func(ctx context.Context, tx *sql.Tx) error {
		var committed int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM ledger WHERE id = $1`, m.ID).Scan(&committed); err != nil {
			return err
		}
		err := cancel(ctx, o.box, tx, m.ID)
		if committed == 0 && errors.Is(err, outbox.ErrUnknown) {
			return nil // it was rolled back
		}
		if errors.Is(err, outbox.ErrUnknown) {
			return fmt.Errorf("%w: %w", errWrong, err)
		}
		return err
	})
}

// cancel takes back a message, and says so in the ledger.
func cancel(ctx context.Context, box *outbox.Box, tx *sql.Tx, id string) error {
	if _, err := tx.ExecContext(ctx, `UPDATE ledger SET cancelled = 1 WHERE id = $1`, id); err != nil {
		return err
	}
	return box.Cancel(ctx, tx, id)
}
