package outbox_test

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/pgtest"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// speedBody is the body of each message, as JSON.
var speedBody = []byte(`{"order":"2f1c9e0a-4f56-4a57-9b86-2a3f0f6d7c11","customer":"ada@example.com","lines":"` + strings.Repeat("x", 200) + `"}`)

// TestSpeed measures relays on PostgreSQL, each between two runs of a publisher that sends the same
// bodies, and prints the rows of a second and the median of the ratios. SPEED_ROWS and SPEED_ROUNDS
// say how much of it. "make outbox-speed" runs it, on a machine that does nothing else.
func TestSpeed(t *testing.T) {
	measured(t)
	s := newSpeed(t, number("SPEED_ROWS", 20_000))
	cases := []struct {
		name   string
		keys   int
		relays int
		least  float64 // of what the publisher reaches; 0 is not judged
	}{
		{"no keys", 0, 1, 0.8}, {"1,000 keys", 1000, 1, 0.5}, {"50 keys", 50, 1, 0},
		{"no keys, two relays", 0, 2, 0}, {"1,000 keys, two relays", 1000, 2, 0},
	}
	rates, ratios := map[string][]float64{}, map[string][]float64{}
	before := s.bare()
	for range number("SPEED_ROUNDS", 5) {
		for _, c := range cases {
			rate, after := s.relays(c.relays, c.keys), s.bare()
			rates["bare"] = append(rates["bare"], after)
			rates[c.name] = append(rates[c.name], rate)
			ratios[c.name] = append(ratios[c.name], 2*rate/(before+after))
			before = after
		}
	}
	t.Logf("%-24s %7.0f rows/s", "bare confirmed publish", median(rates["bare"]))
	for _, c := range cases {
		ratio := median(ratios[c.name])
		t.Logf("%-24s %7.0f rows/s, %.2f of it", c.name, median(rates[c.name]), ratio)
		if ratio < c.least {
			t.Errorf("%s: %.2f of what a publisher reaches, want at least %g", c.name, ratio, c.least)
		}
	}
}

// measured skips what would measure the race detector.
func measured(t *testing.T) {
	t.Helper()
	amqptest.Long(t)
	if amqptest.Raced() {
		t.Skip("the race detector takes most of the time: make outbox-speed")
	}
}

// TestSpeedBesideOldRows measures relays in turns on two outboxes, of which one has a million rows
// that are sent, or have failed.
func TestSpeedBesideOldRows(t *testing.T) {
	measured(t)
	for _, old := range []struct{ name, columns, values string }{
		{"sent rows of a job", "state, job", "2, 'job-' || (g % 100)"},
		{"failed rows without a key", "state, error", "5, 'no queue'"},
		{"failed rows, each with a key", "state, error, key", "5, 'no queue', 'old-' || g"},
	} {
		t.Run(old.name, func(t *testing.T) {
			without := newSpeed(t, number("SPEED_ROWS", 20_000))
			with := without.beside()
			with.exec(fmt.Sprintf(`INSERT INTO bunnicula_outbox (id, exchange, routing_key, properties, body, %s)
SELECT 'old-' || g, '', 'nowhere', '{}', $1, %s FROM generate_series(1, %d) g`, old.columns, old.values, number("SPEED_OLD", 1_000_000)), speedBody)
			with.exec(`VACUUM ANALYZE bunnicula_outbox`)
			for _, keys := range []int{0, 1000} {
				var ratios []float64
				before := without.relays(1, keys)
				for range number("SPEED_ROUNDS", 5) {
					rate, after := with.relays(1, keys), without.relays(1, keys)
					ratios = append(ratios, 2*rate/(before+after))
					before = after
				}
				t.Logf("%d keys: %.2f of what it is without (%.2f to %.2f)", keys, median(ratios), slices.Min(ratios), slices.Max(ratios))
			}
		})
	}
}

// TestSpeedOfALongRun has a relay publish many rows while the table is never vacuumed: what was
// deleted stands at the head of the index. Another transaction that looks at the database all the
// time has nobody note what is dead, so each look goes over it again.
func TestSpeedOfALongRun(t *testing.T) {
	measured(t)
	for _, keys := range []int{0, 50, 1000} {
		for _, observed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d keys, observed %t", keys, observed), func(t *testing.T) {
				s := newSpeed(t, number("SPEED_LONG", 200_000))
				s.exec(`ALTER TABLE bunnicula_outbox SET (autovacuum_enabled = off)`)
				if observed {
					defer s.observe()()
				}
				s.fill(keys)
				began, before := time.Now(), s.pages()
				var rates, pages []string
				s.run(1, func() {
					rates = append(rates, fmt.Sprintf("%.0f", float64(s.rows/10)/time.Since(began).Seconds()))
					now := s.pages()
					pages = append(pages, fmt.Sprintf("%.0f", float64(now-before)/float64(s.rows/10)))
					began, before = time.Now(), now
				})
				t.Logf("of each tenth: rows/s: %s; pages read for a row: %s", strings.Join(rates, " "), strings.Join(pages, " "))
			})
		}
	}
}

// pages is how many the server has read for this database, from its cache or not. It is told about
// a second late.
func (s *speed) pages() int {
	s.t.Helper()
	return count(s.t, s.db, `SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = current_database()`)
}

// observe opens a transaction with a snapshot, as a backup does, until end is called.
func (s *speed) observe() (end func()) {
	s.t.Helper()
	tx, err := s.db.BeginTx(s.t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
	if err != nil {
		s.t.Fatal(err)
	}
	var n int
	if err := tx.QueryRowContext(s.t.Context(), `SELECT count(*) FROM bunnicula_outbox`).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return func() { _ = tx.Rollback() }
}

type speed struct {
	t     *testing.T
	db    *sql.DB
	box   *outbox.Box
	queue string
	rows  int
	conn  *connection.Connection
	pub   *publisher.Client
}

func newSpeed(t *testing.T, rows int) *speed {
	t.Helper()
	s := &speed{t: t, db: pgtest.DB(t), rows: rows, queue: amqptest.Queue(t, "speed")}
	s.box = newBox(t, s.db, outbox.Postgres)
	s.conn = dialed(t)
	ch := amqptest.Channel(t)
	if _, err := ch.QueueDeclare(s.queue, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	pub, err := publisher.New(s.conn, publisher.Config{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pub.Stop(context.Background()) })
	s.pub = pub
	return s
}

// beside is another outbox, in a schema of its own.
func (s *speed) beside() *speed {
	s.t.Helper()
	s.exec(`CREATE SCHEMA beside`)
	other := *s
	other.db = pgtest.Open(s.t, pgtest.DSN(s.t)+"&search_path=beside")
	other.box = newBox(s.t, other.db, outbox.Postgres)
	return &other
}

// dialed makes a Connection to the broker of the environment.
func dialed(t *testing.T) *connection.Connection {
	t.Helper()
	conn, err := connection.New(connection.Config{URL: amqptest.URL(t)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Stop(context.Background()) })
	return conn
}

func (s *speed) exec(statement string, args ...any) {
	s.t.Helper()
	if _, err := s.db.ExecContext(s.t.Context(), statement, args...); err != nil {
		s.t.Fatal(err)
	}
}

func (s *speed) purge() {
	s.t.Helper()
	ch := amqptest.Channel(s.t)
	if _, err := ch.QueuePurge(s.queue, false); err != nil {
		s.t.Fatal(err)
	}
	_ = ch.Close()
}

// bare is the rate of a publisher that has all messages in memory.
func (s *speed) bare() float64 {
	s.t.Helper()
	defer s.purge()
	messages := make([]publisher.Message, s.rows)
	for i := range messages {
		messages[i] = publisher.Message{RoutingKey: s.queue, Payload: speedBody, Options: []publisher.Option{publisher.ContentType("application/json")}}
	}
	began := time.Now()
	if err := s.pub.PublishBatch(s.t.Context(), messages...); err != nil {
		s.t.Fatal(err)
	}
	return float64(s.rows) / time.Since(began).Seconds()
}

// fill puts rows, as many transactions would have done.
func (s *speed) fill(keys int) {
	s.t.Helper()
	key := "NULL"
	if keys > 0 {
		key = fmt.Sprintf("'key-' || (g %% %d)", keys)
	}
	s.exec(fmt.Sprintf(`INSERT INTO bunnicula_outbox (id, key, exchange, routing_key, properties, body, due)
SELECT gen_random_uuid(), %s, '', $1, convert_to('{"content_type":"application/json","delivery_mode":2}', 'UTF8'), $2, now() + g * interval '1 microsecond'
FROM generate_series(1, %d) g`, key, s.rows), s.queue, speedBody)
}

// relays is the rate of so many relays together.
func (s *speed) relays(relays, keys int) float64 {
	s.t.Helper()
	s.fill(keys)
	defer s.purge()
	return float64(s.rows) / s.run(relays, nil).Seconds()
}

// run runs relays until the rows are published, and calls tenth at each tenth of them. It returns
// how long that took.
func (s *speed) run(relays int, tenth func()) time.Duration {
	s.t.Helper()
	before, began := s.box.Published(), time.Now()
	var all []*outbox.Relay
	for range relays {
		all = append(all, startRelay(s.t, s.box, s.conn, outbox.RelayConfig{}))
	}
	told := 1
	for done := 0; done < s.rows; time.Sleep(time.Millisecond) {
		done = int(s.box.Published() - before)
		for ; tenth != nil && told <= 10 && done >= told*s.rows/10; told++ {
			tenth()
		}
	}
	took := time.Since(began)
	for _, r := range all {
		stopRelay(s.t, r)
	}
	if n := count(s.t, s.db, `SELECT count(*) FROM bunnicula_outbox WHERE state = 0`); n != 0 {
		s.t.Errorf("%d rows are left", n)
	}
	return took
}

func median[T cmp.Ordered](all []T) T {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}

func number(variable string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	return otherwise
}
