package main

import (
	"fmt"

	"github.com/bunnicula-go/bunnicula/bench/turn"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// work has the columns of cases that count messages.
var work = []turn.Metric{turn.ClientCPU, turn.BrokerCPU, turn.Reads, turn.Writes, turn.Allocs, turn.Bytes}

const ours = "bunnicula"

// window is how many messages a pipelined publisher has in flight. It is the default of this
// library.
const window = 1024

const rawPipelined = "raw, pipelined, window 1,024"

func rawCallers(n int) string {
	if n == 1 {
		return "raw, one at a time"
	}
	return fmt.Sprintf("raw, %d callers, one channel", n)
}

func publishWorkloads() []workload {
	var all []workload
	for _, c := range []struct{ callers, count, quick int }{{1, 4000, 500}, {16, 20000, 3000}, {64, 30000, 5000}} {
		w := workload{
			Name: fmt.Sprintf("publish-%d", c.callers), Work: fmt.Sprintf("Publish, each call waits for its confirm; callers: %d", c.callers),
			Count: c.count, Quick: c.quick, Figure: turn.Rate, Columns: work, Varies: c.callers == 64, OnPeer: true,
			Sides: []side{
				{Name: ours, do: publishOurs(c.callers)},
				{Name: rawCallers(c.callers), do: publishRaw(c.callers)},
			},
		}
		if c.callers == 64 {
			w.Others = []string{turn.WatermillChannels, turn.GoRabbitMQ, turn.AMQPExtra, turn.GoCloud}
		}
		all = append(all, w)
	}
	pipelined := side{Name: rawPipelined, do: publishPipelined(window)}
	return append(all,
		workload{
			Name: "publish-async", Work: "PublishAsync by one goroutine, confirmations awaited by another",
			Count: 40000, Quick: 6000, Figure: turn.Rate, Columns: work, Varies: true, OnPeer: true,
			Sides: []side{{Name: ours, do: publishAsyncOurs()}, pipelined},
		},
		workload{
			Name: "publish-nocopy", Work: "as publish-async, of bodies that nobody changes: publisher.NoCopy",
			Count: 40000, Quick: 6000, Figure: turn.Rate, Columns: work, Varies: true, OnPeer: true,
			Sides: []side{{Name: ours, do: publishAsyncOurs(publisher.NoCopy())}, pipelined},
		},
		workload{
			Name: "publish-batch", Work: "PublishBatch, 1,000 messages at a time",
			Count: 40000, Quick: 6000, Figure: turn.Rate, Columns: work, OnPeer: true,
			Sides: []side{{Name: ours, do: publishBatchOurs(1000)}, pipelined},
		},
	)
}
