package main

import "github.com/bunnicula-go/bunnicula/bench/turn"

// metricInfo says how a metric is shown.
type metricInfo struct {
	title    string // of its column
	name     string // in a sentence
	decimals int
	higher   bool // a higher value is better
}

var metrics = map[turn.Metric]metricInfo{
	turn.Rate:       {"msg/s", "messages a second", 0, true},
	turn.ClientCPU:  {"client", "client CPU", 2, false},
	turn.BrokerCPU:  {"broker", "broker CPU", 2, false},
	turn.Reads:      {"reads", "read calls", 2, false},
	turn.Writes:     {"writes", "write calls", 2, false},
	turn.Allocs:     {"allocs", "allocations", 1, false},
	turn.Bytes:      {"bytes", "bytes allocated", 0, false},
	turn.P50:        {"p50 ms", "p50", 2, false},
	turn.P99:        {"p99 ms", "p99", 2, false},
	turn.Memory:     {"MiB", "heap and stacks", 2, false},
	turn.Goroutines: {"gorout.", "goroutines", 0, false},
	turn.Startup:    {"start ms", "start-up time", 0, false},
	turn.IdleClient: {"idle", "client CPU without messages", 3, false},
	turn.IdleBroker: {"broker", "broker CPU without messages", 3, false},
	turn.BusyClient: {"busy", "client CPU under load", 3, false},
	turn.BusyBroker: {"broker", "broker CPU under load", 3, false},
	turn.LeastShare: {"least", "the least share of a process", 2, true},
	turn.Repeats:    {"again", "messages that arrived once more", 0, false},
	turn.MostShare:  {"most", "the largest share of a process", 2, false},
}
