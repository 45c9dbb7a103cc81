package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/use"
)

// insertOne is the same transaction with one row.
func (s *Store) insertOne(ctx context.Context, m consumer.Message[Order]) consumer.Result {
	return s.Insert(ctx, []consumer.Message[Order]{m})[0]
}

// Both insert with the same durability into files on the same disk, in turns.
func TestABatchInsertsFiveTimesAsFastAsOneRowAtATime(t *testing.T) {
	amqptest.Long(t)
	log := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	defer slog.SetDefault(log)
	rows, rounds, least := 1500, 5, 5.0
	if slowed { // SQLite is in Go, and so slow then that writing to the disk matters less
		rows, rounds, least = 300, 3, 2
	}
	var alone, batches, ratios []float64
	for range rounds {
		one := perSecond(t, rows, func(s *Store) consumer.Handler { return consumer.JSON(s.insertOne) })
		many := perSecond(t, 5*rows, func(s *Store) consumer.Handler { return use.JSONBatch(50, 100*time.Millisecond, s.Insert) })
		alone, batches, ratios = append(alone, one), append(batches, many), append(ratios, many/one)
		t.Logf("%6.0f rows/s one at a time, %6.0f in batches, %.1f times", one, many, many/one)
	}
	t.Logf("median: %.0f rows/s one at a time, %.0f in batches, %.1f times", median(alone), median(batches), median(ratios))
	if median(ratios) < least {
		t.Errorf("batches are %.1f times as fast, want %v at least", median(ratios), least)
	}
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}

// perSecond returns how many rows a consumer inserts in a second, from a queue that has them all.
func perSecond(t *testing.T, rows int, handler func(*Store) consumer.Handler) float64 {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	log := slog.New(slog.DiscardHandler)
	s := open(t, filepath.Join(t.TempDir(), "orders.db"))
	conn, err := connection.New(connection.Config{URL: amqptest.URL(t), Name: "batch"}, log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Stop(context.Background()) }()
	pub, err := publisher.New(conn, publisher.Config{}, log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pub.Stop(context.Background()) }()
	var seen monitoringtest.Recorder
	spec := consumer.Spec{Queue: amqptest.Queue(t, "batch"), Concurrency: 100, Handler: handler(s)}
	c, err := consumer.New(conn, spec, &seen, log)
	if err != nil {
		t.Fatal(err)
	}
	c.Pause()
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Stop(context.Background()) }()
	all := make([]publisher.Message, rows)
	for n := range all {
		all[n] = publisher.Message{RoutingKey: spec.Queue, Payload: Order{Number: n, Cents: 100}}
	}
	if err := pub.PublishBatch(ctx, all...); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	c.Resume()
	if err := seen.Wait(ctx, rows); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	if n := s.count(t); n != rows {
		t.Fatalf("%d of %d rows are inserted", n, rows)
	}
	return float64(rows) / took.Seconds()
}
