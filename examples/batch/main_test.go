package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
)

func TestAllOrdersButTheWrongOneAreInTheDatabase(t *testing.T) {
	t.Setenv("AMQP_URL", amqptest.URL(t))
	queue = amqptest.Queue(t, "example-batch")
	file := filepath.Join(t.TempDir(), "orders.db")
	var seen monitoringtest.Recorder
	app := fxtest.New(t, app(file), monitoring.Provide(func() monitoring.Monitor { return &seen }), fx.NopLogger)
	app.RequireStart()
	err := seen.Wait(t.Context(), 120)
	app.RequireStop()
	if err != nil {
		t.Fatal(err)
	}
	s := open(t, file)
	if n := s.count(t); n != 119 {
		t.Errorf("the database has %d orders, want 119", n)
	}
	parked := amqptest.Get(t, queue+"-error")
	if text, _ := parked.Headers["bunnicula-error"].(string); string(parked.Body) != `{"number":7,"cents":0}` || !strings.Contains(text, "CHECK constraint failed") {
		t.Errorf("%s is parked: %s", parked.Body, text)
	}
	if n := amqptest.Depth(t, queue) + amqptest.Depth(t, queue+"-retry-1m") + amqptest.Depth(t, queue+"-error"); n != 0 {
		t.Errorf("%d more messages are left", n)
	}
}

func open(t testing.TB, file string) *Store {
	t.Helper()
	s, err := Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func (s *Store) count(t testing.TB) (n int) {
	t.Helper()
	if err := s.db.QueryRowContext(t.Context(), `SELECT count(*) FROM orders`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func message(id string, cents int) consumer.Message[Order] {
	return consumer.Message[Order]{Delivery: consumer.Delivery{MessageID: id}, Payload: Order{Cents: cents}}
}

func verdicts(results []consumer.Result) (all []string) {
	for _, r := range results {
		name, _, _ := strings.Cut(r.String(), "(")
		all = append(all, name)
	}
	return all
}

func TestABatchIsInsertedWholeOrNotAtAll(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "orders.db"))
	batch := []consumer.Message[Order]{message("a", 1), message("b", 0), message("c", 1)}
	if got := verdicts(s.Insert(t.Context(), batch)); !slices.Equal(got, []string{"Ack", "Error", "Ack"}) || s.count(t) != 2 {
		t.Errorf("the results are %q, and %d orders are inserted", got, s.count(t))
	}
	batch[1] = message("d", 1)
	if got := verdicts(s.Insert(t.Context(), batch)); !slices.Equal(got, []string{"Ack", "Ack", "Ack"}) || s.count(t) != 3 {
		t.Errorf("the same once more: the results are %q, and %d orders are inserted", got, s.count(t))
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	results := s.Insert(ctx, []consumer.Message[Order]{message("e", 1), message("f", 0)})
	if got := verdicts(results); !slices.Equal(got, []string{"Retry", "Retry"}) || !errors.Is(results[0].Err(), context.Canceled) || s.count(t) != 3 {
		t.Errorf("cancelled: the results are %q, and %d orders are inserted", got, s.count(t))
	}

	if _, err := s.db.ExecContext(t.Context(), `CREATE TRIGGER full BEFORE INSERT ON orders WHEN NEW.message = 'h' BEGIN SELECT no_such(1); END`); err != nil {
		t.Fatal(err)
	}
	if got := verdicts(s.Insert(t.Context(), []consumer.Message[Order]{message("g", 1), message("h", 1)})); !slices.Equal(got, []string{"Retry", "Retry"}) || s.count(t) != 3 {
		t.Errorf("in the middle: the results are %q, and %d orders are inserted", got, s.count(t))
	}
}
