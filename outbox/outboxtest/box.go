package outboxtest

import (
	"context"
	"database/sql"
	"net/url"
	"path/filepath"
	"testing"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/bunnicula-go/bunnicula/outbox"
)

// New makes a Box with its tables in a new SQLite file, which is deleted at the end of the test.
// The test adds its own tables. Each transaction is the only one that may write, from its beginning
// on, and others wait for it. So a test that begins a second one before it has ended the first gets
// SQLITE_BUSY after 5 s. They are 5 s of real time in a bubble of testing/synctest too.
func New(t testing.TB, cfg ...outbox.Config) (*sql.DB, *outbox.Box) {
	t.Helper()
	db, err := open(filepath.Join(t.TempDir(), "outbox.db"))
	if err != nil {
		t.Fatalf("outboxtest: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("outboxtest: close the database: %v", err)
		}
	})
	box, err := outbox.New(db, outbox.SQLite, cfg...)
	if err == nil {
		err = box.Migrate(contextOf(t))
	}
	if err != nil {
		t.Fatalf("outboxtest: %v", err)
	}
	return db, box
}

// open returns a database whose commits can be told to fail. Nothing is written through to the
// disk, because a test does not survive a power failure either.
func open(file string) (*sql.DB, error) {
	settings := url.Values{
		"_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(OFF)"},
		"_txlock": {"immediate"},
	}
	// The driver that is registered has the functions that the program has added to it.
	registered, err := sql.Open("sqlite", file)
	if err != nil {
		return nil, err
	}
	base := registered.Driver()
	if err := registered.Close(); err != nil {
		return nil, err
	}
	location := url.URL{Scheme: "file", Path: filepath.ToSlash(file), RawQuery: settings.Encode()}
	return sql.OpenDB(&faulty{base: base, name: location.String()}), nil
}

// contextOf is the test's. An example has the zero testing.T, which has none.
func contextOf(t testing.TB) context.Context {
	if ctx := t.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}
