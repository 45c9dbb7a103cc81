package oncetest

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Tx is the transaction that a handler is given.
type Tx struct {
	Exec     func(ctx context.Context, statement string) error
	Commit   func() error
	Rollback func() error
	Put      func(ctx context.Context, routingKey string, payload any, opts ...publisher.Option) error
}

// Handle is a handler in a script.
type Handle func(ctx context.Context, tx Tx, m consumer.Message[string]) consumer.Result

// Kind is a database and a library, of which Once makes handlers.
type Kind struct {
	Box  *outbox.Box
	DB   *sql.DB // of the same database
	Once func(h Handle, opts ...outbox.OnceOption) consumer.Handler

	SQLite bool
	Blind  bool        // nobody is told when a handler ends the transaction by SQL
	Kicked func() bool // since the last call; nil if nobody can tell
}

// Statements that all databases know. A handler of a script writes into effects.
const (
	Effects = `CREATE TABLE effects (id text NOT NULL)`
	effect  = `INSERT INTO effects (id) VALUES ('%s')`
)

// script is one test of a Kind.
type script struct {
	Kind

	t *testing.T
}

// writes is a handler that writes one effect, and returns r.
func writes(r consumer.Result) Handle {
	return func(ctx context.Context, tx Tx, m consumer.Message[string]) consumer.Result {
		if err := tx.Exec(ctx, fmt.Sprintf(effect, m.MessageID)); err != nil {
			return consumer.Retry(err)
		}
		return r
	}
}

// first is a handler whose first run is h's, and all others write one effect and return Ack.
func first(h Handle) Handle {
	var ran atomic.Bool
	return func(ctx context.Context, tx Tx, m consumer.Message[string]) consumer.Result {
		if ran.Swap(true) {
			return writes(consumer.Ack())(ctx, tx, m)
		}
		return h(ctx, tx, m)
	}
}

// counted counts the runs of h.
func counted(h Handle) (Handle, *int) {
	n := new(int)
	return func(ctx context.Context, tx Tx, m consumer.Message[string]) consumer.Result {
		*n++
		return h(ctx, tx, m)
	}, n
}

// queue makes a queue whose consumer handles with h.
func (s script) queue(h Handle, opts ...outbox.OnceOption) *consumertest.Queue {
	s.t.Helper()
	return s.queueOf(consumer.Spec{Queue: "orders", Handler: s.Once(h, opts...)})
}

func (s script) queueOf(spec consumer.Spec) *consumertest.Queue {
	s.t.Helper()
	if spec.Timeout == 0 {
		spec.Timeout = 30 * time.Second
	}
	return consumertest.New(s.t, spec)
}

// count counts the rows of a table that fit.
func (s script) count(from string) (n int) {
	s.t.Helper()
	if err := s.DB.QueryRowContext(context.Background(), "SELECT count(*) FROM "+from).Scan(&n); err != nil {
		s.t.Fatalf("%s: %v", from, err)
	}
	return n
}

// wants asserts how many effects and marks there are.
func (s script) wants(effects, marks int) {
	s.t.Helper()
	if e, m := s.count("effects"), s.count("bunnicula_inbox"); e != effects || m != marks {
		s.t.Errorf("%d effects and %d marks, want %d and %d", e, m, effects, marks)
	}
}

func (s script) exec(format string, args ...any) {
	s.t.Helper()
	if _, err := s.DB.ExecContext(context.Background(), fmt.Sprintf(format, args...)); err != nil {
		s.t.Fatal(err)
	}
}

// row inserts a row of a job. needs is "" or the id of another row.
func (s script) row(id string, state outbox.State, needs string) {
	s.t.Helper()
	times, empty := "now()", "''"
	if s.SQLite {
		times, empty = "1", "x''"
	}
	s.exec(`INSERT INTO bunnicula_outbox (id, exchange, routing_key, properties, body, put_at, due, changed, state, job, needs)
		VALUES ('%s', '', 'orders', %s, %s, %s, %s, %s, %d, 'import', NULLIF('%s', ''))`, id, empty, empty, times, times, times, state, needs)
}

// states returns the states of the job's rows, as in "a done, b held".
func (s script) states() string {
	s.t.Helper()
	rows, err := s.DB.QueryContext(context.Background(), "SELECT id, state FROM bunnicula_outbox ORDER BY id")
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var all []string
	for rows.Next() {
		var id string
		var state outbox.State
		if err := rows.Scan(&id, &state); err != nil {
			s.t.Fatal(err)
		}
		all = append(all, id+" "+state.String())
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	return strings.Join(all, ", ")
}

func (s script) wantStates(want string) {
	s.t.Helper()
	if got := s.states(); got != want {
		s.t.Errorf("the rows are %s; want %s", got, want)
	}
}

// id gives a delivery a message id.
func id(name string) consumertest.Option { return consumertest.MessageID(name) }

// published gives a delivery a timestamp; the zero time is none.
func published(at time.Time) consumertest.Option {
	return consumertest.Properties(func(d *amqp.Delivery) { d.Timestamp = at })
}

// redriven gives a delivery the header of a message that was redriven.
func redriven() consumertest.Option {
	return consumertest.Properties(func(d *amqp.Delivery) {
		d.Headers = amqp.Table{"bunnicula-redrive-count": int64(1), "bunnicula-redriven-at": time.Now().UTC().Format(time.RFC3339)}
	})
}

// Check runs the scripts, each with what open opens. run runs a test, in simulated time for
// example.
func Check(t *testing.T, open func(t *testing.T) Kind, run func(t *testing.T, test func(t *testing.T))) {
	for _, group := range []map[string]func(s script){results, refusals, jobs, copies} {
		for name, play := range group {
			t.Run(name, func(t *testing.T) {
				run(t, func(t *testing.T) { play(script{open(t), t}) })
			})
		}
	}
}
