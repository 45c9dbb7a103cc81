package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// asProgram makes the test binary behave as the program: the service's processes are of their own.
const asProgram = "OUTBOX_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	_ = os.Setenv(asProgram, "1") // for the processes, which inherit it
	goleak.VerifyTestMain(m)
}

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
	all, err := names(s.Options)
	if err != nil {
		t.Fatal(err)
	}
	amqptest.Cleanup(t, all...)
	return s
}

// run runs it in this process, with the service in others, and returns the exit code and what it
// printed.
func (s selling) run(t *testing.T, ctx context.Context, more ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaint output
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

// output can be read while it is written.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func mustContain(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("it does not say %q:\n%s", part, text)
		}
	}
}
