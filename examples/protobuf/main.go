// Protobuf uses another codec than JSON. Its message type is one of protobuf's own; a generated
// type is used in the same way.
//
//	AMQP_URL=amqp://guest:guest@localhost:5672/ go run ./examples/protobuf
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"go.uber.org/fx"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func main() { fx.New(app()).Run() }

func app() fx.Option {
	return fx.Options(
		connection.Module, publisher.Module, consumer.Module,
		fx.Supply(
			connection.Config{URL: os.Getenv("AMQP_URL"), Name: "protobuf"},
			publisher.Config{Codec: Protobuf{}}, // or for one message: publisher.With(Protobuf{})
		),
		consumer.Provide(Orders),
		fx.Invoke(PlaceOrder),
		fx.StopTimeout(90*time.Second), // for handlers, which may take 60 s
	)
}

var queue = "example-protobuf"

// Orders decodes with the same codec. A message that does not decode is parked at once.
func Orders() consumer.Spec {
	return consumer.Spec{Queue: queue, Handler: consumer.Decode(Protobuf{}, Handle)}
}

// Handle handles one order.
func Handle(_ context.Context, msg consumer.Message[*structpb.Struct]) consumer.Result {
	fmt.Println("order", msg.Payload.GetFields()["number"].GetNumberValue())
	return consumer.Ack()
}

// PlaceOrder publishes when the app has started.
func PlaceOrder(lc fx.Lifecycle, pub publisher.Publisher) {
	lc.Append(fx.StartHook(func(ctx context.Context) error {
		order, err := structpb.NewStruct(map[string]any{"number": 1})
		if err != nil {
			return err
		}
		return pub.Publish(ctx, queue, order)
	}))
}
