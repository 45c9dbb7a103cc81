package pgtest

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// common is the server that all tests share.
type common struct {
	url   string
	guard func() error // never called; but nobody else holds the pipe whose end wipes the server
}

var shared = sync.OnceValues(func() (common, error) {
	if url := os.Getenv("BUNNICULA_POSTGRES"); url != "" {
		return common{url: url}, nil
	}
	n, dismiss, err := newNode(nil) // its guard ends it with this process
	if err != nil {
		return common{}, err
	}
	url, err := n.up()
	return common{url, dismiss}, err
})

var (
	mu        sync.Mutex
	databases = map[testing.TB]string{} // guarded by mu: the URL of each test's database
	numbers   atomic.Int64
)

// DSN returns the URL of a database of the test's own. Its calls by one test return the same. It is
// dropped at cleanup, whoever is connected.
func DSN(t testing.TB) string {
	t.Helper()
	amqptest.Long(t)
	mu.Lock()
	defer mu.Unlock()
	if dsn := databases[t]; dsn != "" {
		return dsn
	}
	server, err := shared()
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	dsn := create(t, server.url)
	databases[t] = dsn
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		delete(databases, t)
	})
	return dsn
}

// DB opens the database of DSN. It is closed at cleanup.
func DB(t testing.TB) *sql.DB { t.Helper(); return Open(t, DSN(t)) }

// Open opens a database, which is closed at cleanup.
func Open(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// Terminate ends the sessions of other clients in the database of dsn, at most n of them, or all if
// n is 0. It returns how many.
func Terminate(t testing.TB, dsn string, n int) (ended int) {
	t.Helper()
	err := admin(dsn, func(ctx context.Context, db *sql.DB) error {
		return db.QueryRowContext(ctx, `SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity
			WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
			ORDER BY random() LIMIT $1) a`, sql.NullInt64{Int64: int64(n), Valid: n > 0}).Scan(&ended)
	})
	if err != nil {
		t.Fatalf("pgtest: terminate: %v", err)
	}
	return ended
}

// create makes a database in the server and returns its URL.
func create(t testing.TB, server string) string {
	t.Helper()
	name := "test_" + strconv.FormatInt(time.Now().UnixMicro(), 36) + "_" + strconv.Itoa(os.Getpid()) + "_" +
		strconv.FormatInt(numbers.Add(1), 10)
	exec := func(statement string) error {
		return admin(server, func(ctx context.Context, db *sql.DB) error {
			_, err := db.ExecContext(ctx, statement)
			return err
		})
	}
	if err := exec("CREATE DATABASE " + name); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		if err := exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	dsn, err := within(server, name)
	if err != nil {
		t.Fatal(err)
	}
	return dsn
}

// admin connects for one statement, in bounded time.
func admin(dsn string, do func(ctx context.Context, db *sql.DB) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	return do(ctx, db)
}

// within is the URL of another database of the server.
func within(server, name string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || !strings.HasPrefix(u.Scheme, "postgres") {
		// and has a password
		return "", fmt.Errorf("pgtest: BUNNICULA_POSTGRES is no URL as in postgres://user:password@host:port/postgres")
	}
	u.Path = "/" + name
	return u.String(), nil
}
