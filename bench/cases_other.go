package main

import (
	"fmt"
	"time"
)

func otherWorkloads() []workload {
	all := []workload{
		{
			Name: "retry", Work: "every message fails once and waits 100 ms; from the first to the last ack",
			Count: 20000, Quick: 2000, Figure: rate, Columns: work, Preload: true, Backoff: []time.Duration{pause},
			Sides: []side{{Name: ours, do: retryOurs}, {Name: rawRetry, do: retryRaw}},
		},
		{
			Name: "latency", Work: fmt.Sprintf("from publish to handler, %d messages a second", latencyRate),
			Count: 5000, Quick: 1000, Figure: p99, Columns: []metric{p50, clientCPU, brokerCPU, reads, writes, allocs},
			Sides: []side{{Name: ours, do: latencyOurs}, {Name: rawLoop, do: latencyRaw}},
		},
	}
	for _, n := range []int{1, 10, 200} {
		all = append(all, workload{
			Name: fmt.Sprintf("many-%d", n), Work: fmt.Sprintf("idle consumers in one process: %d", n),
			Figure: memory, Columns: []metric{goroutines, startup}, OnPeer: true, Idle: true,
			Sides: []side{{Name: ours, do: idleOurs(n)}, {Name: rawChannels, do: idleRaw(n)}},
		})
	}
	for _, n := range []int{10, 100, 500} {
		all = append(all, workload{
			Name: fmt.Sprintf("queues-%d", n), Work: fmt.Sprintf("%d queues with a consumer each, idle, and at %s messages a second", n, number(queuesRate, 0)),
			Count: 20000, Figure: memory, Columns: []metric{goroutines, startup, idleClient, idleBroker, busyClient, busyBroker, p99, repeats},
			Queues: n, Long: true,
			Sides: []side{{Name: ours, do: queuesOurs}, {Name: rawChannels, do: queuesRaw}},
		})
	}
	for _, n := range []int{1, 4, 16, 64} {
		all = append(all, workload{
			Name: fmt.Sprintf("processes-%d", n), Work: fmt.Sprintf("a consumer with nothing set in each of so many processes: %d", n),
			Count: 100_000, Figure: rate, Columns: []metric{clientCPU, brokerCPU, leastShare, mostShare}, Preload: true, Long: true, Processes: n,
			Sides: []side{{ours, processes(n), childOurs}, {rawLoop, processes(n), childRaw}},
		})
	}
	return all
}
