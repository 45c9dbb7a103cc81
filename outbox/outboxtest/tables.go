package outboxtest

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// tables are the rows of all tables, each row as a text, sorted.
type tables map[string][]string

// columns of the outbox whose change is an effect. The others are those of times and attempts.
const effects = "id, key, exchange, routing_key, body, state, job, needs"

// look reads all tables of a SQLite database but those that say what was handled.
func look(ctx context.Context, db *sql.DB) (tables, error) {
	var names []string
	err := each(ctx, db, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'`,
		func(_ []string, row []any) { names = append(names, fmt.Sprint(row[0])) })
	all := tables{}
	for _, name := range names {
		what := "*"
		switch name {
		case "bunnicula_inbox", "bunnicula_relay", "bunnicula_schema":
			continue
		case "bunnicula_outbox":
			what = effects
		}
		all[name] = []string{}
		if err == nil {
			err = each(ctx, db, "SELECT "+what+" FROM "+quoted(name), func(columns []string, row []any) {
				all[name] = append(all[name], text(columns, row))
			})
		}
		slices.Sort(all[name])
	}
	return all, err
}

func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// each calls f for each row of an answer.
func each(ctx context.Context, db *sql.DB, query string, f func(columns []string, row []any)) error {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		row, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		f(columns, row)
	}
	return rows.Err()
}

// text is a row as a reader of a failed test sees it: the columns that are not NULL.
func text(columns []string, row []any) string {
	var parts []string
	for i, value := range row {
		if b, is := value.([]byte); is {
			value = string(b)
		}
		if value != nil {
			parts = append(parts, fmt.Sprintf("%s=%v", columns[i], value))
		}
	}
	return strings.Join(parts, " ")
}

// changes are the rows that are there after and were not before, with a plus, and those that are
// gone, with a minus, by table. It is "" if there are none.
func changes(before, after tables) string {
	var b strings.Builder
	names := maps.Clone(before)
	maps.Copy(names, after)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		gone, added := without(before[name], after[name]), without(after[name], before[name])
		if len(gone)+len(added) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n\ttable %s:", name)
		list(&b, "-", gone)
		list(&b, "+", added)
	}
	return b.String()
}

// without is what is left of all when each of the others is taken away once.
func without(all, others []string) (left []string) {
	count := map[string]int{}
	for _, one := range others {
		count[one]++
	}
	for _, one := range all {
		if count[one]--; count[one] < 0 {
			left = append(left, one)
		}
	}
	return left
}

// list writes the first rows.
func list(b *strings.Builder, sign string, rows []string) {
	const most = 5
	for i, row := range rows {
		if i == most {
			fmt.Fprintf(b, "\n\t\t%s and %d more", sign, len(rows)-most)
			return
		}
		fmt.Fprintf(b, "\n\t\t%s %s", sign, foreign.Cut(row, 300))
	}
}
