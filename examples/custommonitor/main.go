// Custommonitor replaces the log by a monitor of its own. The monitor counts what became of the
// messages with expvar, which a web server shows at /debug/vars.
//
//	AMQP_URL=amqp://guest:guest@localhost:5672/ go run ./examples/custommonitor
package main

import (
	"context"
	"errors"
	"expvar"
	"fmt"
	"os"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Counter is a Monitor. It embeds monitoring.Nop for the method that it does not need.
type Counter struct{ monitoring.Nop }

// NewCounter needs nothing. Like every constructor it could ask fx for what it needs.
func NewCounter() Counter { return Counter{} }

var counts = expvar.NewMap("deliveries")

// End is called after each delivery was settled, from many goroutines at once.
func (Counter) End(_ context.Context, d monitoring.Delivery, o monitoring.Outcome) {
	counts.Add(d.Consumer+"."+o.Action.String(), 1)
	if o.Failed() {
		fmt.Printf("%s, attempt %d: %s because of %s: %v\n", d.Consumer, d.Attempt, o.Action, o.Reason, o.Err)
	}
}

// Callbacks is a Monitor made of functions. An app can have several monitors: each is told.
func Callbacks() monitoring.Callbacks {
	return monitoring.Callbacks{
		OnSuccess: func(_ context.Context, d monitoring.Delivery, o monitoring.Outcome) {
			fmt.Printf("%s, attempt %d: done in %s\n", d.Consumer, d.Attempt, o.Duration)
		},
	}
}

func main() { fx.New(app()).Run() }

func app() fx.Option {
	return fx.Options(
		connection.Module, publisher.Module, consumer.Module,
		fx.Supply(connection.Config{URL: os.Getenv("AMQP_URL"), Name: "custommonitor"}),
		monitoring.Provide(NewCounter),
		monitoring.Provide(Callbacks),
		consumer.Provide(Orders),
		fx.Invoke(PlaceOrders),
		fx.StopTimeout(90*time.Second), // for handlers, which may take 60 s
	)
}

var queue = "example-custommonitor"

// Orders accepts order 1 and no other.
func Orders() consumer.Spec {
	return consumer.Spec{Queue: queue, Name: "orders", Handler: consumer.JSON(
		func(_ context.Context, msg consumer.Message[int]) consumer.Result {
			if msg.Payload != 1 {
				return consumer.Error(errors.New("no such order"))
			}
			return consumer.Ack()
		})}
}

// PlaceOrders publishes order 1, and an order that does not exist.
func PlaceOrders(lc fx.Lifecycle, pub publisher.Publisher) {
	lc.Append(fx.StartHook(func(ctx context.Context) error {
		return errors.Join(pub.Publish(ctx, queue, 1), pub.Publish(ctx, queue, 2))
	}))
}
