package outbox_test

import (
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/outbox"
)

func TestAnErrorAboutAJobIsInWordsForAJob(t *testing.T) {
	bothDialects(t, func(t *testing.T, db *sql.DB, dialect outbox.Dialect) {
		box := newBox(t, db, dialect)
		for name, want := range map[string]string{
			"nope": `outbox: job "nope" has no rows: none was put, or all were deleted since`,
			"\x00": `outbox: job "\x00" has no rows: no row can have a name with a NUL byte, or one that is not UTF-8`,
			"\xff": `outbox: job "�" has no rows: no row can have a name with a NUL byte, or one that is not UTF-8`,
		} {
			if _, err := box.Job(t.Context(), name); !errors.Is(err, outbox.ErrUnknown) || err.Error() != want {
				t.Errorf("%q: got %v\nwant %s", name, err, want)
			}
		}
		if _, err := box.Job(t.Context(), ""); err == nil || errors.Is(err, outbox.ErrUnknown) || err.Error() != `outbox: job "": the name is empty` {
			t.Errorf("%v", err)
		}
		write(t, db, "DROP TABLE bunnicula_outbox")
		if _, err := box.Job(t.Context(), "nope"); !errors.Is(err, outbox.ErrNoTables) || !strings.Contains(err.Error(), "bunnicula outbox migrate") {
			t.Errorf("%v", err)
		}
	})
}
