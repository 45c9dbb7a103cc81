package main

import (
	"fmt"
	"os"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

// Handlers and unsettled messages of a side that consumes, as in the case consume-16.
const (
	handlers = 16
	prefetch = 300
)

// callers is how many goroutines publish, as in the case publish-64. Each waits for its confirm.
const callers = 64

// sides are the sides of each case.
var sides = map[string]map[string]turn.Do{
	"consume-16": {
		turn.WatermillOne:     consumeWatermill(1),
		turn.WatermillSixteen: consumeWatermill(handlers),
		turn.GoRabbitMQ:       consumeGoRabbitMQ,
		turn.AMQPExtra:        consumeAMQPExtra,
		turn.GoCloud:          consumeGoCloud,
	},
	"publish-64": {
		turn.WatermillChannels: publishWatermill,
		turn.GoRabbitMQ:        publishGoRabbitMQ,
		turn.AMQPExtra:         publishAMQPExtra,
		turn.GoCloud:           publishGoCloud,
	},
}

func find(o turn.Order) (turn.Do, error) {
	do := sides[o.Case][o.Side]
	if do == nil {
		return nil, fmt.Errorf("case %q has no side %q of another library", o.Case, o.Side)
	}
	return do, nil
}

func main() {
	code, ordered := turn.Take(find)
	if !ordered {
		fmt.Fprintln(os.Stderr, "bench starts this program: bench -others FILE")
		code = 2
	}
	os.Exit(code)
}
