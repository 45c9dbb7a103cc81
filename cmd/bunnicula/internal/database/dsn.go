package database

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/bunnicula-go/bunnicula/outbox"
)

// Wanted says which DSNs there are.
const Wanted = "postgres://user@host:5432/database, or the file of a SQLite database"

// DSN is a parsed one.
type DSN struct {
	Dialect outbox.Dialect
	Shown   string // for people, without a password
	Name    string // of the database: that of PostgreSQL, or of the file

	postgres *pgx.ConnConfig // nil for SQLite
	file     string          // of SQLite, absolute
	query    url.Values      // of SQLite's URL
}

// keywords are those of a DSN without a scheme that is PostgreSQL's: host=localhost dbname=shop.
var keywords = regexp.MustCompile(`(^|\s)(host|hostaddr|port|user|password|passfile|dbname|service|sslmode)\s*=`)

// Parse parses a DSN. Its error names no part of it that may be a password.
func Parse(text string) (DSN, error) {
	scheme, rest, found := strings.Cut(text, ":")
	scheme = strings.ToLower(scheme)
	switch {
	case text == "":
		return DSN{}, errors.New("is empty, want " + Wanted)
	case found && (scheme == "postgres" || scheme == "postgresql"):
		return parsePostgres(scheme + ":" + rest)
	case keywords.MatchString(text):
		return parsePostgres(text)
	case found && (scheme == "sqlite" || scheme == "sqlite3" || scheme == "file"):
		return parseURL(rest)
	case found && (strings.HasPrefix(rest, "//") || strings.ContainsAny(rest, "@")):
		return DSN{}, fmt.Errorf("has the scheme %q, want %s", scheme, Wanted)
	}
	return parseFile(text, nil)
}

func parsePostgres(text string) (DSN, error) {
	c, err := pgx.ParseConfig(text)
	if err != nil {
		return DSN{}, errors.New("is no URL of PostgreSQL" + reason(text, err) + ", want postgres://user@host:5432/database")
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "bunnicula"
	}
	shown := url.URL{Scheme: "postgres", Host: net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))), Path: "/" + c.Database}
	if strings.HasPrefix(c.Host, "/") { // the folder of a socket
		shown = url.URL{Scheme: "postgres", Host: "", Path: "/" + c.Database, RawQuery: "host=" + c.Host}
	}
	return DSN{Dialect: outbox.Postgres, Shown: shown.String(), Name: c.Database, postgres: c}, nil
}

// reason is the innermost text of an error of pgx, if the DSN is a URL as such and its password is
// not in that text. The outer ones quote the DSN.
func reason(text string, err error) string {
	u, failed := url.Parse(text)
	if failed != nil {
		return ""
	}
	for inner := errors.Unwrap(err); inner != nil; inner = errors.Unwrap(err) {
		err = inner
	}
	password, _ := u.User.Password()
	if said := err.Error(); !strings.Contains(said, text) && (password == "" || !strings.Contains(said, password)) {
		return " (" + said + ")"
	}
	return ""
}

// parseURL parses what stands behind sqlite: or file:.
func parseURL(rest string) (DSN, error) {
	name, raw, _ := strings.Cut(rest, "?")
	name = strings.TrimPrefix(name, "//")
	query, err := url.ParseQuery(raw)
	if err != nil {
		return DSN{}, fmt.Errorf("is no URL of SQLite: %w", err)
	}
	if query.Get("mode") == "memory" {
		name = ":memory:"
	}
	plain, err := url.PathUnescape(name)
	if err != nil {
		return DSN{}, fmt.Errorf("is no URL of SQLite: %w", err)
	}
	return parseFile(plain, query)
}

func parseFile(name string, query url.Values) (DSN, error) {
	switch name {
	case "":
		return DSN{}, errors.New("names no file, want " + Wanted)
	case ":memory:":
		return DSN{}, errors.New("is a database in memory, of which no other process knows, want a file")
	}
	absolute, err := filepath.Abs(name)
	if err != nil {
		return DSN{}, err
	}
	return DSN{Dialect: outbox.SQLite, Shown: name, Name: filepath.Base(name), file: absolute, query: query}, nil
}
