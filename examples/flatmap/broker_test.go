package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/examples/internal/drill"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill/drilltest"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

var (
	seeds = flag.Int("seeds", 1, "how many seeds are played")
	first = flag.Uint64("seed", 1, "the first of them")
)

const verdict = "rows are those of the plain run, and the progress was right each time"

func TestTheRowsAreThoseOfAPlainRunWhenWorkersAreKilled(t *testing.T) {
	t.Parallel()
	m := newMapping(t, amqptest.URL(t), "-accounts", "12", "-rows", "300", "-kills", "3", "-lock", "300ms").onSharedBroker(t)
	code, out, _ := m.run(t, t.Context())
	if code != drill.ExitOK || strings.Contains(out, "killed     0") {
		t.Errorf("exit code %d, or nothing was killed", code)
	}
	drilltest.MustContain(t, out, verdict)
	for _, queue := range m.queues(t) {
		if amqptest.Exists(t, queue) {
			t.Errorf("queue %s is still there", queue)
		}
	}
	db := reopened(t, m)
	if n := number(t, db, `SELECT count(*) FROM sqlite_master WHERE name LIKE 'example%'`); n != 0 {
		t.Errorf("%d tables of the example are left", n)
	}
}

func TestKilled(t *testing.T) {
	amqptest.Long(t) // it starts a broker, and kills it
	b := amqptest.StartBroker(t, amqptest.Setting{Name: "dead_letter_worker_publisher_confirm_timeout", Value: "5000"})
	var kills atomic.Int32
	drill.Shell = func(context.Context, string) ([]byte, error) {
		if kills.Add(1) == 1 {
			b.Settle() // a queue that was declared just now
		}
		b.Kill()
		b.Start()
		return nil, nil
	}
	for i := range *seeds {
		seed := max(1, *first) + uint64(i)
		lock := "1s" // is waited for
		if seed%4 == 0 {
			lock = "7s" // messages are snoozed
		}
		ok := t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			before := kills.Load()
			m := newMapping(t, b.URL, "-rows", "1200", "-kills", "8", "-seed", fmt.Sprint(seed), "-lock", lock, "-kill-broker", "of the test's own")
			code, out, _ := m.run(t, t.Context())
			if code != drill.ExitOK || kills.Load() == before {
				t.Errorf("exit code %d, the broker was killed %d times", code, kills.Load()-before)
			}
			drilltest.MustContain(t, out, verdict, "broker", "database", "transaction", "worker")
		})
		if !ok {
			return // its queues are left for whoever looks
		}
	}
}

func TestAnAccountWithManyRowsTakesNoMoreMemory(t *testing.T) {
	amqptest.Long(t)
	t.Parallel()
	m := newMapping(t, amqptest.URL(t), "-rows", "20000", "-page", "5000", "-failure-rate", "0").onSharedBroker(t)
	code, out, _ := m.run(t, t.Context())
	if code != drill.ExitOK {
		t.Errorf("exit code %d", code)
	}
	drilltest.MustContain(t, out, verdict)
	for line := range strings.Lines(out) {
		var mib int
		if n, _ := fmt.Sscanf(strings.TrimSpace(line), "MiB %d", &mib); n == 1 && mib > 64 {
			t.Errorf("a worker had %d MiB", mib)
		}
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	m := newMapping(t, amqptest.URL(t), "-rows", "20", "-accounts", "3", "-failure-rate", "0", "-workers", "1", "-db", "").onSharedBroker(t)
	if code, _, _ := m.run(t, t.Context()); code != drill.ExitOK {
		t.Errorf("exit code %d", code)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Errorf("there are still %v: %v", left, err)
	}
}

func TestAStoppedRunSaysHowToGoOn(t *testing.T) {
	t.Parallel()
	m := newMapping(t, amqptest.URL(t), "-rows", "10000").onSharedBroker(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var out, said drilltest.Output
	ended := make(chan int)
	go func() { ended <- run(ctx, m.args, strings.NewReader(""), &out, &said) }()
	db := reopened(t, m)
	amqptest.Eventually(t, 2*time.Minute, func() bool {
		n, err := count(t.Context(), db)
		return err == nil && n > 10
	}, "no row is saved")
	stop()
	if code := <-ended; code != drill.ExitStopped {
		t.Errorf("exit code %d", code)
	}
	drilltest.MustContain(t, said.String(), "stopped; -fresh begins anew")
	code, _, again := m.run(t, t.Context())
	if code != drill.ExitFailed {
		t.Errorf("exit code %d of a run beside what is left", code)
	}
	drilltest.MustContain(t, again, "of another run: -fresh deletes")
	if code, out, _ := m.run(t, t.Context(), "-rows", "20", "-accounts", "3", "-failure-rate", "0", "-fresh"); code != drill.ExitOK || !strings.Contains(out, verdict) {
		t.Errorf("exit code %d of the run that begins anew", code)
	}
}

// Somebody writes a row twice, and another one is lost: the count is right, and the rows are not.
func TestARowThatIsSavedTwiceOrLostIsNamedAndEndsWithOne(t *testing.T) {
	t.Parallel()
	m := newMapping(t, amqptest.URL(t), "-accounts", "6", "-rows", "200", "-failure-rate", "0").onSharedBroker(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		db := reopened(t, m)
		amqptest.Eventually(t, 20*time.Second, func() bool { return tampered(t.Context(), db) }, "there is no row")
	}()
	code, out, said := m.run(t, t.Context())
	<-ended
	if code != drill.ExitFailed || !amqptest.Exists(t, m.RowsQueue()) {
		t.Errorf("exit code %d, or the queues were deleted", code)
	}
	drilltest.MustContain(t, out, "it is wrong:", "too much: {Account:", "missing: {Account:")
	drilltest.MustContain(t, said, "it is not as in a plain run")
}

func tampered(ctx context.Context, db *sql.DB) bool {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return false
	}
	defer func() { _ = tx.Rollback() }() // after a commit it does nothing
	r, err := tx.ExecContext(ctx, `UPDATE example_rows SET line = (SELECT max(line) FROM example_rows), account = (SELECT max(account) FROM example_rows)
		WHERE rowid = (SELECT min(rowid) FROM example_rows) AND (SELECT count(*) FROM example_rows) > 20`)
	if err != nil {
		return false // the table is not there yet
	}
	n, err := r.RowsAffected()
	return err == nil && n == 1 && tx.Commit() == nil
}

func reopened(t *testing.T, m mapping) *sql.DB {
	t.Helper()
	db, err := open(m.DB)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func number(t *testing.T, db *sql.DB, query string) (n int) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
