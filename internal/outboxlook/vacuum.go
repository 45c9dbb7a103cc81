package outboxlook

import (
	"context"
	"database/sql"
	"time"

	"github.com/bunnicula-go/bunnicula/outbox"
)

// Table is a table of the outbox in PostgreSQL, by its statistics.
type Table struct {
	Name       string
	Live, Dead int64         // rows, about
	Vacuumed   time.Duration // since the last vacuum; 0 if there was none
	Never      bool          // vacuumed
	Off        bool          // autovacuum is, for the table or for all
}

// Vacuum is what PostgreSQL knows of what it has to clean up.
type Vacuum struct {
	Tables []Table
	// Oldest is for how long the oldest transaction is open. No vacuum removes rows that were
	// deleted since.
	Oldest time.Duration
}

// Vacuum asks PostgreSQL. It returns none for SQLite, which cleans up at once. What this user may
// not see is left out.
func (l Looker) Vacuum(ctx context.Context) (*Vacuum, error) {
	if l.Dialect != outbox.Postgres {
		return nil, nil
	}
	v := new(Vacuum)
	err := l.each(ctx, `
		SELECT s.relname, s.n_live_tup, s.n_dead_tup,
			CAST(extract(epoch FROM now() - greatest(s.last_vacuum, s.last_autovacuum)) * 1000000 AS bigint),
			current_setting('autovacuum') = 'off' OR EXISTS (
				SELECT 1 FROM unnest(c.reloptions) o WHERE o IN ('autovacuum_enabled=false', 'autovacuum_enabled=off', 'autovacuum_enabled=0'))
		FROM pg_stat_all_tables s JOIN pg_class c ON c.oid = s.relid
		WHERE s.relid IN (to_regclass('bunnicula_outbox'), to_regclass('bunnicula_inbox'))
		ORDER BY 1 DESC`, func(rows *sql.Rows) error {
		var t Table
		var since sql.NullInt64
		err := rows.Scan(&t.Name, &t.Live, &t.Dead, &since, &t.Off)
		t.Vacuumed, t.Never = time.Duration(since.Int64)*time.Microsecond, !since.Valid
		v.Tables = append(v.Tables, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	var oldest sql.NullInt64
	err = l.DB.QueryRowContext(ctx, `
		SELECT CAST(max(extract(epoch FROM now() - xact_start)) * 1000000 AS bigint) FROM pg_stat_activity
		WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()`).Scan(&oldest)
	v.Oldest = time.Duration(oldest.Int64) * time.Microsecond
	return v, err
}
