package publisher_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connect makes a Connection that is stopped at the test's cleanup.
func connect(t testing.TB, cfg connection.Config) *connection.Connection {
	t.Helper()
	if cfg.URL == "" {
		cfg.URL = amqptest.URL(t)
	}
	cfg.Name = "publisher-test"
	if cfg.MinBackoff == 0 {
		cfg.MinBackoff, cfg.MaxBackoff = 20*time.Millisecond, 200*time.Millisecond
	}
	conn, err := connection.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := conn.Stop(ctx); err != nil {
			t.Errorf("stop the connection: %v", err)
		}
	})
	return conn
}

// client makes a Client that is stopped at the test's cleanup, before its Connection.
func client(t testing.TB, conn *connection.Connection, cfg publisher.Config) *publisher.Client {
	t.Helper()
	pub, err := publisher.New(conn, cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, pub) })
	return pub
}

func sender(t testing.TB, conn *connection.Connection) *sending.Pipeline {
	t.Helper()
	s, err := sending.New(conn.Transport(), 256, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	return s
}

// stop stops s. Messages that a test has left in flight do not delay it for long.
func stop(t testing.TB, s interface{ Stop(context.Context) error }) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Logf("stop: %v", err)
	}
}

// queue declares a queue for one test.
func queue(t testing.TB, args amqp.Table) string {
	t.Helper()
	name := amqptest.Queue(t, "publisher")
	if _, err := amqptest.Channel(t).QueueDeclare(name, true, false, false, false, args); err != nil {
		t.Fatal(err)
	}
	return name
}

var quorum = amqp.Table{"x-queue-type": "quorum"}

// soon returns a context for an operation that should take no time.
func soon(t testing.TB) context.Context { return within(t, 20*time.Second) }

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// ids counts the messages of a queue by their ids, and empties the queue.
func ids(t testing.TB, queue string) map[string]int {
	t.Helper()
	count := map[string]int{}
	for _, d := range amqptest.Drain(t, queue) {
		count[d.MessageId]++
	}
	return count
}

// account checks that the queue has each of these ids and no other. It logs duplicates.
func account(t testing.TB, queue string, want []string) {
	t.Helper()
	got := ids(t, queue)
	missing, duplicates := 0, 0
	for _, id := range want {
		if got[id] == 0 {
			missing++
		}
		duplicates += max(0, got[id]-1)
		delete(got, id)
	}
	if missing > 0 || len(got) > 0 {
		t.Errorf("%d of %d confirmed messages are missing, %d are there that nobody sent", missing, len(want), len(got))
	}
	if duplicates > 0 {
		t.Logf("%d duplicates of %d messages", duplicates, len(want))
	}
}

func id(i int) string { return fmt.Sprintf("m%05d", i) }
