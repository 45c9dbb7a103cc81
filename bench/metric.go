package main

// metric names a measured quantity.
type metric string

const (
	rate       metric = "rate"       // messages a second
	clientCPU  metric = "client_cpu" // seconds for 100,000 messages
	brokerCPU  metric = "broker_cpu"
	reads      metric = "reads" // system calls for one message
	writes     metric = "writes"
	allocs     metric = "allocs" // for one message
	bytesUsed  metric = "bytes"
	p50        metric = "p50" // milliseconds
	p99        metric = "p99"
	memory     metric = "memory" // MiB
	goroutines metric = "goroutines"
	startup    metric = "startup"     // milliseconds
	idleClient metric = "idle_client" // CPU in cores, while there are no messages
	idleBroker metric = "idle_broker"
	busyClient metric = "busy_client" // CPU in cores, under the case's load
	busyBroker metric = "busy_broker"
	leastShare metric = "least_share" // messages of the process with the fewest, as a part of the mean
	mostShare  metric = "most_share"
	repeats    metric = "repeats" // messages that arrived once more
)

// metricInfo says how a metric is shown.
type metricInfo struct {
	title    string // of its column
	name     string // in a sentence
	decimals int
	higher   bool // a higher value is better
}

var metrics = map[metric]metricInfo{
	rate:       {"msg/s", "messages a second", 0, true},
	clientCPU:  {"client", "client CPU", 2, false},
	brokerCPU:  {"broker", "broker CPU", 2, false},
	reads:      {"reads", "read calls", 2, false},
	writes:     {"writes", "write calls", 2, false},
	allocs:     {"allocs", "allocations", 1, false},
	bytesUsed:  {"bytes", "bytes allocated", 0, false},
	p50:        {"p50 ms", "p50", 2, false},
	p99:        {"p99 ms", "p99", 2, false},
	memory:     {"MiB", "heap and stacks", 2, false},
	goroutines: {"gorout.", "goroutines", 0, false},
	startup:    {"start ms", "start-up time", 0, false},
	idleClient: {"idle", "client CPU without messages", 3, false},
	idleBroker: {"broker", "broker CPU without messages", 3, false},
	busyClient: {"busy", "client CPU under load", 3, false},
	busyBroker: {"broker", "broker CPU under load", 3, false},
	leastShare: {"least", "the least share of a process", 2, true},
	repeats:    {"again", "messages that arrived once more", 0, false},
	mostShare:  {"most", "the largest share of a process", 2, false},
}

// sample holds the metrics of one side in one round. Unknown ones are absent.
type sample map[metric]float64
