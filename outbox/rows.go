package outbox

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/outbox/internal/tx"
)

// Bounds of what Rows reads at once, so that neither the program's memory nor a connection of the
// database is held by rows that nobody has looked at yet.
const (
	pageRows  = 500
	pageBytes = 8 << 20 // of bodies; one body may be larger
)

// Rows reads the rows that a RowFilter chooses, those that were put first at first. It reads their
// ids at once, some 100 bytes each, and then page by page what they hold: no transaction is open
// while the caller looks at a row. A row that the filter does not choose any more when its page is
// read is left out. After an error there are no more rows.
func (b *Box) Rows(ctx context.Context, f RowFilter) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		if err := f.check(); err != nil {
			yield(Row{}, err)
			return
		}
		found, err := b.survey(ctx, f, "")
		if err != nil {
			yield(Row{}, fmt.Errorf("outbox: read rows: %w", explain(err)))
			return
		}
		for _, page := range pages(found) {
			rows, err := b.page(ctx, f, page)
			for _, r := range rows {
				if !yield(r, nil) {
					return
				}
			}
			if err != nil {
				yield(Row{}, fmt.Errorf("outbox: read rows: %w", explain(err)))
				return
			}
		}
	}
}

// Row reads the row of a message id. The error is ErrUnknown if there is none: it was never put, or
// it has no job and was published.
func (b *Box) Row(ctx context.Context, id string) (Row, error) {
	for r, err := range b.Rows(ctx, RowFilter{IDs: []string{id}}) {
		return r, err
	}
	return Row{}, fmt.Errorf("outbox: row %q: %w", id, ErrUnknown)
}

// surveyed is a row of which only this is known.
type surveyed struct {
	id   string
	size int64 // of its body
}

// survey returns which rows a RowFilter chooses, in the order in which they were put. more is a
// condition beyond that of the filter, "" for none.
func (b *Box) survey(ctx context.Context, f RowFilter, more string) ([]surveyed, error) {
	if err := b.known(ctx, tx.Of(b.db), looking); err != nil {
		return nil, err
	}
	c := f.condition(b.dialect)
	if more != "" {
		c.and(more)
	}
	statement := "SELECT id, length(body) FROM bunnicula_outbox WHERE " + c.String() + " ORDER BY seq"
	if f.Limit > 0 {
		statement += fmt.Sprintf(" LIMIT %d", f.Limit)
	}
	var found []surveyed
	err := b.each(ctx, statement, c.args, func(rows *sql.Rows) error {
		var one surveyed
		err := rows.Scan(&one.id, &one.size)
		found = append(found, one)
		return err
	})
	return found, err
}

// pages divides rows into pages, by their number and the size of their bodies.
func pages(all []surveyed) [][]string {
	var divided [][]string
	var page []string
	var size int64
	for _, one := range all {
		if len(page) == pageRows || len(page) > 0 && size+one.size > pageBytes {
			divided, page, size = append(divided, page), nil, 0
		}
		page, size = append(page, one.id), size+one.size
	}
	if len(page) > 0 {
		divided = append(divided, page)
	}
	return divided
}

// page reads the rows with these ids that a RowFilter still chooses.
func (b *Box) page(ctx context.Context, f RowFilter, ids []string) ([]Row, error) {
	c := f.condition(b.dialect)
	in(c, "id", ids)
	statement := "SELECT id, key, exchange, routing_key, properties, body, attempts, error, state, job, needs, " +
		strings.Join([]string{b.dialect.micros("put_at"), b.dialect.micros("due"), b.dialect.micros("changed")}, ", ") +
		" FROM bunnicula_outbox WHERE " + c.String() + " ORDER BY seq"
	var found []Row
	err := b.each(ctx, statement, c.args, func(rows *sql.Rows) error {
		r, err := scanRow(rows)
		found = append(found, r)
		return err
	})
	return found, err
}

func scanRow(rows *sql.Rows) (Row, error) {
	var r Row
	var key, text, job, needs sql.NullString
	var properties []byte
	var put, due, changed int64
	err := rows.Scan(&r.ID, &key, &r.Exchange, &r.RoutingKey, &properties, &r.Body, &r.Attempts, &text, &r.State, &job, &needs, &put, &due, &changed)
	if err != nil {
		return r, err
	}
	r.Key, r.Error, r.Job, r.Needs = key.String, text.String, job.String, needs.String
	r.PutAt, r.Due, r.Changed = time.UnixMicro(put).UTC(), time.UnixMicro(due).UTC(), time.UnixMicro(changed).UTC()
	if r.State == taken {
		r.State = Waiting
	}
	r.read(properties)
	return r, nil
}

// micros is a time as microseconds since 1970.
func (d Dialect) micros(column string) string {
	if d == Postgres {
		return "CAST(extract(epoch FROM " + column + ") * 1000000 AS bigint)"
	}
	return column
}

// each runs a query, and f for each row of its answer.
func (b *Box) each(ctx context.Context, statement string, args []any, f func(*sql.Rows) error) error {
	return each(ctx, b.db, b.dialect.text(statement), args, f)
}

func each(ctx context.Context, db interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, statement string, args []any, f func(*sql.Rows) error) error {
	rows, err := db.QueryContext(ctx, statement, args...)
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
