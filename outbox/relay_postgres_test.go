package outbox_test

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
	"github.com/bunnicula-go/bunnicula/outbox"
)

// real is PostgreSQL and a real broker.
type real struct {
	t     *testing.T
	db    *sql.DB
	box   *outbox.Box
	queue string
}

func newReal(t *testing.T) *real {
	t.Helper()
	r := &real{t: t, db: pgtest.DB(t), queue: amqptest.Queue(t, "outbox")}
	r.box = newBox(t, r.db, outbox.Postgres)
	if _, err := amqptest.Channel(t).QueueDeclare(r.queue, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	return r
}

// fill puts rows of so many keys with one statement. Their ids are key-number, with the number of
// the row in its key.
func (r *real) fill(rows, keys int) {
	r.t.Helper()
	_, err := r.db.Exec(fmt.Sprintf(`INSERT INTO bunnicula_outbox (id, key, exchange, routing_key, properties, body)
SELECT (g %% %[1]d) || '-' || (g / %[1]d), 'key-' || (g %% %[1]d), '', $1, '{}', '' FROM generate_series(0, %[2]d) g`, keys, rows-1), r.queue)
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *real) left() int {
	r.t.Helper()
	return count(r.t, r.db, `SELECT count(*) FROM bunnicula_outbox`)
}

func (r *real) empty(within time.Duration) {
	r.t.Helper()
	amqptest.Eventually(r.t, within, func() bool { return r.left() == 0 }, "rows are left")
}

// The numbers of rows are given when they are put, and transactions commit in another order.
func TestARowThatIsCommittedAfterLaterOnesIsPublished(t *testing.T) {
	r := newReal(t)
	relay := startRelay(t, r.box, dialed(t), outbox.RelayConfig{Poll: 50 * time.Millisecond})
	defer stopRelay(t, relay)
	var late []*sql.Tx
	for i := range 20 {
		tx, err := r.db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = tx.Rollback() }()
		if err := r.box.Put(t.Context(), tx, r.queue, 1, outbox.ID(fmt.Sprint("late-", i))); err != nil {
			t.Fatal(err)
		}
		late = append(late, tx)
		put(t, r.box, r.db, r.queue, []string{fmt.Sprint("soon-", i)})
	}
	r.empty(10 * time.Second)
	if n := len(amqptest.Drain(t, r.queue)); n != 20 {
		t.Fatalf("%d messages before the others commit", n)
	}
	slices.Reverse(late)
	for _, tx := range late {
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	r.empty(10 * time.Second)
	if n := len(amqptest.Drain(t, r.queue)); n != 20 {
		t.Errorf("%d messages after the others have committed", n)
	}
}

// open counts transactions of this database, but for the one that asks.
const open = `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND backend_type = 'client backend'`

func TestWhileTheBrokerIsAwayNoTransactionIsOpen(t *testing.T) {
	r := newReal(t)
	proxy := amqptest.NewProxy(t, amqptest.URL(t))
	conn, err := connection.New(connection.Config{URL: proxy.URL()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Stop(context.Background()) }()
	relay := startRelay(t, r.box, conn, outbox.RelayConfig{})
	defer stopRelay(t, relay)
	r.fill(20_000, 1000)
	r.box.Kick()
	amqptest.Eventually(t, 10*time.Second, func() bool { n := r.left(); return n > 0 && n < 20_000 }, "nothing was published")
	proxy.Refuse()
	proxy.Cut()
	amqptest.Eventually(t, 2*time.Second, func() bool { return count(t, r.db, open) == 0 }, "a transaction is open")
	left := r.left()
	if left == 0 {
		t.Fatal("nothing is left to be held up")
	}
	for i := range 100 { // 5 s
		if n := count(t, r.db, open); n > 0 {
			t.Fatalf("%d transactions are open", n)
		}
		put(t, r.box, r.db, r.queue, []string{fmt.Sprint("2000-", i)})
		time.Sleep(50 * time.Millisecond)
	}
	if n := r.left(); n != left+100 {
		t.Errorf("%d rows are left, want %d", n, left+100)
	}
	if n := count(t, r.db, `SELECT count(*) FROM bunnicula_outbox WHERE attempts > 0`); n != 0 {
		t.Errorf("%d rows were attempted", n)
	}
	proxy.Accept()
	r.empty(time.Minute)
	ids := map[string]bool{}
	for _, d := range amqptest.Drain(t, r.queue) {
		ids[d.MessageId] = true
	}
	if len(ids) != 20_100 {
		t.Errorf("%d messages, want 20100", len(ids))
	}
}

// A broker that answers nothing is no lost connection. What is in flight is given up after 10 s.
func TestWhileTheBrokerIsSilentATransactionIsOpenForTenSecondsAtMost(t *testing.T) {
	r := newReal(t)
	proxy := amqptest.NewProxy(t, amqptest.URL(t))
	conn, err := connection.New(connection.Config{URL: proxy.URL()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Stop(context.Background()) }()
	relay := startRelay(t, r.box, conn, outbox.RelayConfig{})
	defer stopRelay(t, relay)
	proxy.Freeze()
	defer proxy.Thaw()
	put(t, r.box, r.db, r.queue, []string{"a", "b"})
	r.box.Kick()
	const longest = `SELECT COALESCE(max(extract(epoch FROM clock_timestamp() - xact_start)), 0)::int FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'`
	oldest := 0
	for range 300 { // 15 s
		oldest = max(oldest, count(t, r.db, longest))
		time.Sleep(50 * time.Millisecond)
	}
	if oldest < 5 || oldest > 11 {
		t.Errorf("the longest transaction was %d s", oldest)
	}
	proxy.Thaw()
	r.empty(30 * time.Second)
}

func TestAStoppedRelayLeavesNothingLocked(t *testing.T) {
	r := newReal(t)
	for i := range 5 {
		_, err := r.db.Exec(`TRUNCATE bunnicula_outbox`)
		if err != nil {
			t.Fatal(err)
		}
		r.fill(20_000, 500)
		relay := startRelay(t, r.box, dialed(t), outbox.RelayConfig{})
		amqptest.Eventually(t, 10*time.Second, func() bool { return r.left() < 20_000 }, "nothing was published")
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*5*time.Millisecond)
		began := time.Now()
		_ = relay.Stop(ctx) // with too little time
		cancel()
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("it took %s", took)
		}
		if n := count(t, r.db, open); n != 0 {
			t.Errorf("%d transactions are open", n)
		}
		if n := count(t, r.db, `SELECT count(*) FROM (SELECT 1 FROM bunnicula_outbox FOR UPDATE NOWAIT) f`); n == 0 {
			t.Error("nothing was left: the test shows nothing")
		}
	}
}

// A stop that has the time it needs publishes nothing twice.
func TestAStopAndAStartPublishNothingTwice(t *testing.T) {
	r := newReal(t)
	conn := dialed(t)
	r.fill(20_000, 500)
	for left := 20_000; left > 0; left = r.left() {
		relay := startRelay(t, r.box, conn, outbox.RelayConfig{})
		amqptest.Eventually(t, 10*time.Second, func() bool { return r.left() < left }, "it does not get on")
		stopRelay(t, relay) // in the middle of the next rows
	}
	all := amqptest.Drain(t, r.queue)
	if inverted, twice := inversions(t, all); inverted+twice > 0 || len(all) != 20_000 {
		t.Errorf("%d inversions, %d twice, %d messages", inverted, twice, len(all))
	}
}
