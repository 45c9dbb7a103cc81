package turn

// Metric names a measured quantity.
type Metric string

// What is measured.
const (
	Rate       Metric = "rate"       // messages a second
	ClientCPU  Metric = "client_cpu" // seconds for 100,000 messages
	BrokerCPU  Metric = "broker_cpu"
	Reads      Metric = "reads" // system calls for one message
	Writes     Metric = "writes"
	Allocs     Metric = "allocs" // for one message
	Bytes      Metric = "bytes"
	P50        Metric = "p50" // milliseconds
	P99        Metric = "p99"
	Memory     Metric = "memory" // MiB
	Goroutines Metric = "goroutines"
	Startup    Metric = "startup" // milliseconds
)

// Sample holds the metrics of one side in one round. Unknown ones are absent.
type Sample map[Metric]float64
