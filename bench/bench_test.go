package main

import (
	"context"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/bench/peer"
	"github.com/bunnicula-go/bunnicula/bench/turn"
)

// BenchmarkConsume runs every way to consume against a peer in this process. The peer allocates
// nothing for a message, so the reported allocations are the client's.
func BenchmarkConsume(b *testing.B) {
	benchmark(b, func(w workload) bool { return w.Preload })
}

// BenchmarkPublish is the same for every way to publish.
func BenchmarkPublish(b *testing.B) {
	benchmark(b, func(w workload) bool { return !w.Preload && !w.Idle })
}

func benchmark(b *testing.B, selected func(workload) bool) {
	addr, closeMetrics, err := dropMetrics()
	if err != nil {
		b.Fatal(err)
	}
	defer closeMetrics()
	for _, w := range workloads() {
		if !w.OnPeer || !selected(w) {
			continue
		}
		for _, s := range w.Sides {
			b.Run(w.Name+"/"+s.Name, func(b *testing.B) { benchmarkSide(b, w, s, addr) })
		}
	}
}

func benchmarkSide(b *testing.B, w workload, s side, statsd string) {
	cfg := peer.Config{Body: turn.Body(mainSize), Messages: int64(b.N)}
	if !w.Preload {
		cfg.Messages = peer.Idle
	}
	server, err := peer.Listen(cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		if err := server.Close(); err != nil {
			b.Error(err)
		}
	}()
	r := &run{&turn.Run{
		Order: turn.Order{URL: server.URL(), Queue: "bench", QueueType: mainType, Size: mainSize, StatsD: statsd},
		Meter: turn.NewMeter(0, int64(b.N), nil), Body: cfg.Body,
	}}
	if err := declareOn(server, variant{workload: w, QueueType: mainType}, r.Queue); err != nil {
		b.Fatal(err)
	}
	if len(w.Backoff) == 0 { // with retries the handler starts the measurement
		r.Meter.Start()
	}
	ctx, cancel := context.WithTimeout(b.Context(), 5*time.Minute)
	defer cancel()
	b.ReportAllocs()
	b.SetBytes(mainSize)
	b.ResetTimer()
	if err := s.do(ctx, r); err != nil {
		b.Fatal(err)
	}
}
