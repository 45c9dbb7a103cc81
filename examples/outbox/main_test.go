package main

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill/drilltest"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestMain(m *testing.M) { drilltest.Main(m, main) }

// selling is one run of a test, with queues and a database of its own.
type selling struct {
	Options

	args []string
}

func newSelling(t *testing.T, url string, args ...string) selling {
	t.Helper()
	args = append([]string{
		"-url", url, "-queue-prefix", amqptest.Queue(t, "outbox"), "-dsn", filepath.Join(t.TempDir(), "shop.db"), "-keep",
	}, args...)
	o, err := parse(args, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	return selling{o, args}
}

// onSharedBroker has its queues deleted in the end.
func (s selling) onSharedBroker(t *testing.T) selling {
	t.Helper()
	amqptest.Cleanup(t, s.queues(t)...)
	return s
}

func (s selling) queues(t *testing.T) []string {
	t.Helper()
	q, err := newQueues(s.Options, connection.Config{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return q.Names()
}

// run runs it in this process, with the service in others, and returns the exit code and what it
// printed.
func (s selling) run(t *testing.T, ctx context.Context, more ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaint drilltest.Output
	code = run(ctx, slices.Concat(s.args, more), strings.NewReader(""), &out, &complaint)
	t.Logf("exit code %d\n%s%s", code, complaint.String(), out.String())
	return code, out.String(), complaint.String()
}

// accounted checks by the tables, and not by what the program says, that each order that was not
// rejected has one invoice and one mail with its number.
func (s selling) accounted(t *testing.T) {
	t.Helper()
	db, err := open(s.Options, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	want := s.N - s.N/10
	for _, query := range []string{
		`SELECT count(*) FROM example_orders`,
		`SELECT count(*) FROM example_orders WHERE (SELECT count(*) FROM example_invoices WHERE order_id = id) = 1
			AND (SELECT count(*) FROM example_mails WHERE order_id = id AND invoice = (SELECT number FROM example_invoices WHERE order_id = id)) = 1`,
		`SELECT count(*) FROM example_invoices`, `SELECT count(DISTINCT number) FROM example_invoices`, `SELECT max(number) FROM example_invoices`,
		`SELECT count(*) FROM example_mails`, `SELECT count(DISTINCT order_id) FROM example_mails`,
		`SELECT count(*) / 2 FROM bunnicula_outbox`, `SELECT count(*) / 2 FROM bunnicula_outbox WHERE state = 3`,
	} {
		if n := number(t, db, query); n != want {
			t.Errorf("%s: %d, want %d", query, n, want)
		}
	}
}

func number(t *testing.T, db *sql.DB, query string) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// verdict is the last line of the account if each order is accounted for.
func (s selling) verdict() string {
	n := s.N - s.N/10
	return fmt.Sprintf("%d accepted = %d invoices = %d mails: every order is accounted for", n, n, n)
}
