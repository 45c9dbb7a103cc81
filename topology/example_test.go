package topology_test

import (
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

func Example() {
	t, err := topology.New(topology.Plan{
		Queue:  "orders",
		Delays: []time.Duration{10 * time.Second, time.Minute},
	})
	if err != nil {
		panic(err)
	}
	for _, name := range t.Names() {
		fmt.Println(name)
	}
	// Output:
	// orders
	// orders-retry-10s
	// orders-retry-1m
	// orders-quarantine
	// orders-error
}

func ExampleTopology_String() {
	t, err := topology.New(topology.Plan{
		Queue: "emails",
		Mode:  topology.Satellites, // the queue existed before
		Bindings: []topology.Bind{
			{Exchange: "events", Kind: "topic", Keys: []string{"order.*"}},
		},
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(t)
	// Output:
	// exchange  events             topic      durable
	// queue     emails             exists
	// queue     emails-quarantine  quorum     x-dead-letter-exchange "" · x-dead-letter-routing-key "emails-error"
	//                                         x-dead-letter-strategy at-least-once · x-delivery-limit 100
	//                                         x-overflow reject-publish
	// queue     emails-error       quorum     x-delivery-limit 1000000 · x-overflow reject-publish
	// binding   emails             <- events  "order.*"
}

func ExampleNew_refused() {
	_, err := topology.New(topology.Plan{
		Queue:     "orders",
		Arguments: map[string]any{"x-expires": 60_000},
	})
	fmt.Println(err)
	// Output:
	// topology: queue "orders": Arguments: x-expires: 60000 is refused: it deletes the queue with all its messages
}

func ExampleFormatDelay() {
	for _, delay := range []time.Duration{1500 * time.Millisecond, 60 * time.Second, 90 * time.Second, 24 * time.Hour} {
		fmt.Println(topology.FormatDelay(delay))
	}
	// Output:
	// 1500ms
	// 1m
	// 90s
	// 24h
}
