package main

import (
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

func otherWorkloads() []workload {
	all := []workload{
		{
			Name: "retry", Work: "every message fails once and waits 100 ms; from the first to the last ack",
			Count: 20000, Quick: 2000, Figure: turn.Rate, Columns: work, Preload: true, Backoff: []time.Duration{pause}, OnPeer: true,
			Sides: []side{{ours, retryOurs}, {rawRetry, retryRaw}},
		},
		{
			Name: "latency", Work: fmt.Sprintf("from publish to handler, %d messages a second", latencyRate),
			Count: 5000, Quick: 1000, Figure: turn.P99, Columns: []turn.Metric{turn.P50, turn.ClientCPU, turn.BrokerCPU, turn.Reads, turn.Writes, turn.Allocs},
			Sides: []side{{ours, latencyOurs}, {rawLoop, latencyRaw}},
		},
	}
	for _, n := range []int{1, 10, 200} {
		all = append(all, workload{
			Name: fmt.Sprintf("many-%d", n), Work: fmt.Sprintf("idle consumers in one process: %d", n),
			Figure: turn.Memory, Columns: []turn.Metric{turn.Goroutines, turn.Startup}, OnPeer: true, Idle: true,
			Sides: []side{{ours, idleOurs(n)}, {"raw, a channel each", idleRaw(n)}},
		})
	}
	return all
}
