package database

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
	"github.com/bunnicula-go/bunnicula/outbox"
)

func TestADSNIsOfPostgreSQLOrAFile(t *testing.T) {
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]struct{ shown, name, file string }{
		"postgres://u:hunter2@db.test:6000/shop?sslmode=disable": {"postgres://db.test:6000/shop", "shop", ""},
		"postgresql://db.test/shop":                              {"postgres://db.test:5432/shop", "shop", ""},
		"POSTGRES://db.test/shop":                                {"postgres://db.test:5432/shop", "shop", ""},
		"postgres://u@/shop?host=/run/postgresql":                {"postgres:///shop?host=/run/postgresql", "shop", ""},
		"host=db.test user=u password=hunter2 dbname=shop":       {"postgres://db.test:5432/shop", "shop", ""},
		"orders.db":                    {"orders.db", "orders.db", here + "/orders.db"},
		"/var/lib/orders.db":           {"/var/lib/orders.db", "orders.db", "/var/lib/orders.db"},
		"a b%20#?c.db":                 {"a b%20#?c.db", "a b%20#?c.db", here + "/a b%20#?c.db"},
		"sqlite:///var/orders.db":      {"/var/orders.db", "orders.db", "/var/orders.db"},
		"sqlite://data/orders.db":      {"data/orders.db", "orders.db", here + "/data/orders.db"},
		"sqlite3:orders.db":            {"orders.db", "orders.db", here + "/orders.db"},
		"file:orders.db?cache=private": {"orders.db", "orders.db", here + "/orders.db"},
		"file:///var/a%20b.db":         {"/var/a b.db", "a b.db", "/var/a b.db"},
	} {
		d, err := Parse(text)
		if err != nil || d.Shown != want.shown || d.Name != want.name || d.file != want.file || (d.file == "") != (d.Dialect == outbox.Postgres) {
			t.Errorf("%s is %q, %q, %q, %s, %v", text, d.Shown, d.Name, d.file, d.Dialect, err)
		}
		if strings.Contains(d.Shown, "hunter2") {
			t.Errorf("%s shows the password", d.Shown)
		}
	}
}

func TestAWrongDSNIsRefusedWithoutItsPassword(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "is empty, want postgres://",
		"file:":                               "names no file",
		"sqlite://":                           "names no file",
		":memory:":                            "in memory",
		"file::memory:":                       "in memory",
		"file:x?mode=memory":                  "in memory",
		"sqlite:a%zzb":                        "is no URL of SQLite",
		"mysql://u:hunter2@h/db":              `has the scheme "mysql"`,
		"amqp:hunter2@h":                      `has the scheme "amqp"`,
		"postgres://u:hunter2@h:1x/db":        "is no URL of PostgreSQL, want",
		"postgres://u:hunter2%zz@h/db":        "is no URL of PostgreSQL, want",
		"postgres://u:hunter2@h/db?sslmode=x": "(sslmode is invalid), want",
		// the reason has that word
		"postgres://u:invalid@h/db?sslmode=x":               "is no URL of PostgreSQL, want",
		"host=h password=hunter2 sslmode=nope":              "is no URL of PostgreSQL",
		"postgres://u:hunter2@h/db?connect_timeout=hunter2": "is no URL of PostgreSQL",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestAFileIsNeverMadeUnlessItMayBe(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a b%20#?é.db")
	d, err := Parse(file)
	if err != nil || !d.Missing() {
		t.Fatal(err)
	}
	if _, err := d.Open(t.Context(), false); err == nil || !strings.Contains(err.Error(), "no such file: the app makes it, or bunnicula outbox migrate") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it was made: %v", err)
	}
	// It is deleted after it was looked for.
	name, err := (DSN{Dialect: outbox.SQLite, file: dir, query: d.query}).url(false)
	if err == nil || !strings.Contains(err.Error(), "it is a folder") {
		t.Errorf("%s, %v", name, err)
	}
	for range 2 {
		db, err := d.Open(t.Context(), true)
		if err != nil {
			t.Fatal(err)
		}
		var timeout int
		if err := db.QueryRowContext(t.Context(), "PRAGMA busy_timeout").Scan(&timeout); err != nil || timeout != 10000 {
			t.Errorf("busy_timeout is %d, %v", timeout, err)
		}
		if _, err := db.ExecContext(t.Context(), "CREATE TABLE IF NOT EXISTS t (a)"); err != nil {
			t.Error(err)
		}
		_ = db.Close()
	}
	all, err := os.ReadDir(dir)
	if err != nil || len(all) != 1 || all[0].Name() != filepath.Base(file) || d.Missing() {
		t.Errorf("%v, %v", all, err)
	}
	name, err = d.url(false)
	if err != nil || !strings.Contains(name, "mode=rw&") && !strings.HasSuffix(name, "mode=rw") {
		t.Errorf("%s, %v: SQLite makes a file that is deleted meanwhile", name, err)
	}
	d.file = filepath.Join(dir, "none", "x.db")
	if _, err := d.Open(t.Context(), true); err == nil || !strings.Contains(err.Error(), "there is no folder "+filepath.Join(dir, "none")) {
		t.Errorf("%v", err)
	}
}

func TestAFileThatIsNoDatabaseIsSaid(t *testing.T) {
	file := filepath.Join(t.TempDir(), "orders.txt")
	if err := os.WriteFile(file, []byte(strings.Repeat("text ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := Parse("sqlite://" + file)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open(t.Context(), false); err == nil || !strings.Contains(err.Error(), "database "+file+": file is not a database") {
		t.Errorf("%v", err)
	}
}

func TestADatabaseThatIsNotThereIsSaidWithoutThePassword(t *testing.T) {
	d, err := Parse("postgres://u:hunter2@127.0.0.1:1/db?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Open(t.Context(), false); err == nil || !strings.Contains(err.Error(), "database postgres://127.0.0.1:1/db: ") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 0, errors.New("no answer within 0s"))
	defer cancel()
	if _, err := d.Open(ctx, false); err == nil || !strings.HasSuffix(err.Error(), ": no answer within 0s") {
		t.Errorf("%v", err)
	}
	if err := d.harmless(errors.New("the user u with hunter2 is refused")); err.Error() != "the user u with (password) is refused" {
		t.Errorf("%v", err)
	}
}

func TestPostgreSQLIsOpened(t *testing.T) {
	d, err := Parse(pgtest.DSN(t))
	if err != nil {
		t.Fatal(err)
	}
	db, err := d.Open(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var name string
	if err := db.QueryRowContext(t.Context(), "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()").Scan(&name); err != nil || name != "bunnicula" {
		t.Errorf("%q, %v", name, err)
	}
}
