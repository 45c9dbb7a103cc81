package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Difference is what two databases do not have in common.
type Difference struct {
	Rows  int      // compared, of the plain run
	N     int      // rows that only one of them has
	First []string // the first of them, in words
}

const mostShown = 20

// compare reads both databases in the order of their rows, side by side: so it takes no memory.
// Rows that one has twice and the other once are different.
func compare(ctx context.Context, job, plain *sql.DB) (d Difference, err error) {
	a, b := newCursor(ctx, job), newCursor(ctx, plain)
	defer func() { err = errors.Join(err, a.close(), b.close()) }()
	a.next()
	b.next()
	for a.err == nil && b.err == nil && (a.more || b.more) {
		switch {
		case a.more && b.more && a.row == b.row:
			d.Rows++
			a.next()
			b.next()
		case !b.more || a.more && before(a.row, b.row):
			d.add("too much: ", a.row)
			a.next()
		default:
			d.Rows++
			d.add("missing: ", b.row)
			b.next()
		}
	}
	return d, nil
}

func (d *Difference) add(what string, r Row) {
	if d.N++; d.N <= mostShown {
		d.First = append(d.First, what+fmt.Sprintf("%+v", r))
	}
}

// before is the order of the query in cursor.
func before(a, b Row) bool {
	switch {
	case a.Account != b.Account:
		return a.Account < b.Account
	case a.Line != b.Line:
		return a.Line < b.Line
	}
	return fmt.Sprint(a) < fmt.Sprint(b)
}

// cursor goes through the rows of a database.
type cursor struct {
	rows *sql.Rows
	row  Row
	more bool
	err  error
}

func newCursor(ctx context.Context, db *sql.DB) *cursor {
	rows, err := db.QueryContext(ctx, `SELECT account, line, date, cents, text FROM example_rows ORDER BY account, line, date, cents, text`)
	return &cursor{rows: rows, err: err} //nolint:rowserrcheck // close does
}

func (c *cursor) next() {
	if c.err != nil {
		return
	}
	if c.more = c.rows.Next(); c.more {
		c.err = c.rows.Scan(&c.row.Account, &c.row.Line, &c.row.Date, &c.row.Cents, &c.row.Text)
	}
}

func (c *cursor) close() error {
	if c.rows == nil {
		return c.err
	}
	return errors.Join(c.err, c.rows.Err(), c.rows.Close())
}
