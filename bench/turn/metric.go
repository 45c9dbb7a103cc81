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
	Startup    Metric = "startup"     // milliseconds
	IdleClient Metric = "idle_client" // CPU in cores, while there are no messages
	IdleBroker Metric = "idle_broker"
	BusyClient Metric = "busy_client" // CPU in cores, under the case's load
	BusyBroker Metric = "busy_broker"
	LeastShare Metric = "least_share" // messages of the process with the fewest, as a part of the mean
	MostShare  Metric = "most_share"
	Repeats    Metric = "repeats" // messages that arrived once more
)

// Sample holds the metrics of one side in one round. Unknown ones are absent.
type Sample map[Metric]float64
