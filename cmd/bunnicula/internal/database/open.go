package database

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver

	"github.com/bunnicula-go/bunnicula/outbox"
)

// busy is how many milliseconds a statement waits for another process that writes to a file.
const busy = "10000"

// Open opens the database, and asks it whether it is there. create lets it make the file of a
// SQLite database, but no folder.
func (d DSN) Open(ctx context.Context, create bool) (*sql.DB, error) {
	if d.postgres != nil {
		return answering(ctx, stdlib.OpenDB(*d.postgres), d)
	}
	name, err := d.url(create)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", name)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // a file has one writer
	return answering(ctx, db, d)
}

// Missing says whether the DSN is of a file of SQLite that does not exist.
func (d DSN) Missing() bool {
	if d.file == "" {
		return false
	}
	_, err := os.Stat(d.file)
	return errors.Is(err, fs.ErrNotExist)
}

// url is the file as SQLite's driver opens it: without mode=rw it would make one.
func (d DSN) url(create bool) (string, error) {
	info, err := os.Stat(d.file)
	switch missing := errors.Is(err, fs.ErrNotExist); {
	case missing && !create:
		return "", fmt.Errorf("database %s: no such file: the app makes it, or bunnicula outbox migrate", d.Shown)
	case missing:
		if _, err := os.Stat(filepath.Dir(d.file)); err != nil {
			return "", fmt.Errorf("database %s: there is no folder %s", d.Shown, filepath.Dir(d.file))
		}
	case err != nil:
		return "", fmt.Errorf("database %s: %w", d.Shown, err)
	case info.IsDir():
		return "", fmt.Errorf("database %s: it is a folder, want the file of a SQLite database", d.Shown)
	}
	query := url.Values{}
	maps.Copy(query, d.query)
	if mode := "rw"; !query.Has("mode") || query.Get("mode") == "rwc" {
		if create {
			mode = "rwc"
		}
		query.Set("mode", mode)
	}
	query.Set("_busy_timeout", cmp.Or(query.Get("_busy_timeout"), busy))
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(d.file), RawQuery: query.Encode()}
	return u.String(), nil
}

// answering returns the database if it answers.
func answering(ctx context.Context, db *sql.DB, d DSN) (*sql.DB, error) {
	var one int
	err := db.QueryRowContext(ctx, "SELECT 1").Scan(&one)
	if err == nil && d.Dialect == outbox.SQLite { // it reads the file
		err = db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master").Scan(&one)
	}
	if err == nil {
		return db, nil
	}
	_ = db.Close() // nothing was done
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return nil, fmt.Errorf("database %s: %w", d.Shown, d.harmless(err))
}

// harmless returns an error without the password, should a driver have put it there. A password
// that is also a name is shown as that.
func (d DSN) harmless(err error) error {
	if d.postgres == nil {
		return err
	}
	password := d.postgres.Password
	named := password == d.postgres.User || password == d.postgres.Database || password == d.postgres.Host
	if password == "" || named || !strings.Contains(err.Error(), password) {
		return err
	}
	return errors.New(strings.ReplaceAll(err.Error(), password, "(password)"))
}
