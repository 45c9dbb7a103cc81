package main

import (
	"fmt"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

// Names of sides that several cases, or the goals, use.
const (
	rawLoop     = "raw loop, one ack each"
	rawAutoAck  = "raw loop, auto-ack"
	rawFour     = "raw, 4 channels, prefetch 10"
	rawWorkers  = "raw, 64 workers, one channel"
	rawChannels = "raw, a channel each"
	rawRetry    = "raw, 16 workers: copy, wait, ack"
	oursWatched = "bunnicula, timeout, log, statsd"
	oursBare    = "bunnicula, without those"
)

func consumeWorkloads() []workload {
	loop := side{Name: rawLoop, do: consumeRaw(1, 300)}
	var all []workload
	for _, concurrency := range []int{1, 4, 16, 64} {
		w := workload{
			Name: fmt.Sprintf("consume-%d", concurrency), Work: fmt.Sprintf("a handler that does nothing, concurrency %d, prefetch 300", concurrency),
			Count: 30000, Quick: 5000, Figure: turn.Rate, Columns: work, Preload: true, OnPeer: true,
			Sides: []side{{Name: ours, do: consumeOurs(concurrency, 300)}, loop},
		}
		if concurrency == 16 {
			w.Count, w.Varies = 50000, true
			w.Sides = append(w.Sides, side{Name: rawAutoAck, do: consumeRawAutoAck})
			w.Others = []string{turn.WatermillOne, turn.WatermillSixteen, turn.GoRabbitMQ, turn.AMQPExtra, turn.GoCloud}
		}
		all = append(all, w)
	}
	all = append(all,
		workload{
			Name: "consume-defaults", Work: "a handler that does nothing, a Spec with nothing else set",
			Count: 20000, Quick: 3000, Figure: turn.Rate, Columns: work, Preload: true, Varies: true, OnPeer: true,
			Sides: []side{{Name: ours, do: consumeOurs(0, 0)}, {Name: rawFour, do: consumeRaw(4, 10)}},
		},
		workload{
			Name: "consume-json", Work: "a handler that decodes JSON, concurrency 16, prefetch 300",
			Count: 30000, Quick: 5000, Figure: turn.Rate, Columns: work, Preload: true, OnPeer: true,
			Sides: []side{{Name: ours, do: consumeOursJSON}, {Name: rawLoop, do: consumeRawJSON}},
		},
		workload{
			Name: "consume-watched", Work: "JSON with a timeout of 60 s, Log at info and statsd, concurrency 16, prefetch 300",
			Count: 30000, Quick: 5000, Figure: turn.Rate, Columns: work, Preload: true, OnPeer: true,
			Sides: []side{{Name: oursWatched, do: consumeOursWatched}, {Name: oursBare, do: consumeOursBare}},
		},
		workload{
			Name: "consume-slow", Work: "one message in 1,000 takes 200 ms, concurrency 64, prefetch 300",
			Count: 30000, Quick: 5000, Figure: turn.Rate, Columns: work, Preload: true, OnPeer: true,
			Sides: []side{{Name: ours, do: consumeOursSlow}, {Name: rawWorkers, do: consumeRawSlow}},
		},
	)
	for _, backlog := range []int{10_000, 100_000, 1_000_000} {
		count := backlog * 10 / 11 // the warm-up takes the rest
		quick := 0
		if backlog == 10_000 {
			quick = count
		}
		all = append(all, workload{
			Name: fmt.Sprintf("backlog-%d", backlog), Work: fmt.Sprintf("a backlog of %s messages, concurrency 16, prefetch 300", number(float64(backlog), 0)),
			Count: count, Quick: quick, Fixed: true, Figure: turn.Rate, Columns: work, Preload: true, Long: backlog == 1_000_000,
			Sides: []side{{Name: ours, do: consumeOurs(16, 300)}, loop},
		})
	}
	return all
}
