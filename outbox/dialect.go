package outbox

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Dialect is the SQL of a database.
type Dialect string

// The dialects. The package imports no driver: the program does.
const (
	Postgres Dialect = "postgres" // PostgreSQL 12 or later
	SQLite   Dialect = "sqlite"   // SQLite 3.35 or later
)

func (d Dialect) check() error {
	if d != Postgres && d != SQLite {
		return fmt.Errorf("outbox: the dialect is %q, want %q or %q", string(d), Postgres, SQLite)
	}
	return nil
}

var parameter = regexp.MustCompile(`\$(\d+)`)

// text is a statement as the database has it. Statements are written with $1, $2 for parameters and
// @now for the time. PostgreSQL has its own clock. SQLite gets the program's, which a test may
// simulate, in microseconds since 1970.
func (d Dialect) text(statement string) string {
	if d == Postgres {
		return strings.ReplaceAll(statement, "@now", "now()")
	}
	now := strconv.FormatInt(time.Now().UnixMicro(), 10)
	return strings.ReplaceAll(parameter.ReplaceAllString(statement, "?$1"), "@now", now)
}
