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
			Sides: []side{{Name: ours, do: retryOurs}, {Name: rawRetry, do: retryRaw}},
		},
		{
			Name: "latency", Work: fmt.Sprintf("from publish to handler, %d messages a second", latencyRate),
			Count: 5000, Quick: 1000, Figure: turn.P99, Columns: []turn.Metric{turn.P50, turn.ClientCPU, turn.BrokerCPU, turn.Reads, turn.Writes, turn.Allocs},
			Sides: []side{{Name: ours, do: latencyOurs}, {Name: rawLoop, do: latencyRaw}},
		},
	}
	for _, n := range []int{1, 10, 200} {
		all = append(all, workload{
			Name: fmt.Sprintf("many-%d", n), Work: fmt.Sprintf("idle consumers in one process: %d", n),
			Figure: turn.Memory, Columns: []turn.Metric{turn.Goroutines, turn.Startup}, OnPeer: true, Idle: true,
			Sides: []side{{Name: ours, do: idleOurs(n)}, {Name: rawChannels, do: idleRaw(n)}},
		})
	}
	for _, n := range []int{10, 100, 500} {
		all = append(all, workload{
			Name: fmt.Sprintf("queues-%d", n), Work: fmt.Sprintf("%d queues with a consumer each, idle, and at %s messages a second", n, number(queuesRate, 0)),
			Count: 20000, Figure: turn.Memory, Columns: []turn.Metric{turn.Goroutines, turn.Startup, turn.IdleClient, turn.IdleBroker, turn.BusyClient, turn.BusyBroker, turn.P99, turn.Repeats},
			Queues: n, Long: true,
			Sides: []side{{Name: ours, do: queuesOurs}, {Name: rawChannels, do: queuesRaw}},
		})
	}
	for _, n := range []int{1, 4, 16, 64} {
		all = append(all, workload{
			Name: fmt.Sprintf("processes-%d", n), Work: fmt.Sprintf("a consumer with nothing set in each of so many processes: %d", n),
			Count: 100_000, Figure: turn.Rate, Columns: []turn.Metric{turn.ClientCPU, turn.BrokerCPU, turn.LeastShare, turn.MostShare}, Preload: true, Long: true, Processes: n,
			Sides: []side{{Name: ours, do: processes(n), child: childOurs}, {Name: rawLoop, do: processes(n), child: childRaw}},
		})
	}
	return all
}
