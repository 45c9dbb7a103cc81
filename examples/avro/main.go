// Avro shows how the publishers of a queue move from JSON to Avro while it is in use. The consumer
// decodes both, by the content type of each message, and compressed bodies too. Once it runs, each
// publisher changes when it likes.
//
//	AMQP_URL=amqp://guest:guest@localhost:5672/ go run ./examples/avro
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/hamba/avro/v2"
	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/codec"
	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func main() { fx.New(app()).Run() }

// Order has the names of its fields for both codecs.
type Order struct {
	Number int64  `avro:"number" json:"number"`
	Email  string `avro:"email" json:"email"`
}

var schema = avro.MustParse(`{
	"type": "record", "name": "Order", "fields": [
		{"name": "number", "type": "long"},
		{"name": "email", "type": "string"}
	]
}`)

// Both encodes as Avro. In a consumer the order does not matter; a publisher that is to go on with
// JSON has publisher.JSON first.
var Both = codec.Gzip(codec.ByContentType(Avro{schema}, publisher.JSON), codec.Limits{})

func app() fx.Option {
	return fx.Options(
		connection.Module, publisher.Module, consumer.Module,
		fx.Supply(
			connection.Config{URL: os.Getenv("AMQP_URL"), Name: "avro"},
			publisher.Config{Codec: Both},
		),
		consumer.Provide(Orders),
		fx.Invoke(PlaceOrders),
		fx.StopTimeout(90*time.Second), // for handlers, which may take 60 s
	)
}

var queue = "example-avro"

// Orders decodes with the same codec. A message of any other content type is parked at once, and
// the error names it.
func Orders() consumer.Spec {
	return consumer.Spec{Queue: queue, Handler: consumer.Decode(Both, Handle)}
}

// Handle handles one order, and need not know how it came.
func Handle(_ context.Context, msg consumer.Message[Order]) consumer.Result {
	fmt.Println("order", msg.Payload.Number, "came as", msg.ContentType)
	return consumer.Ack()
}

// PlaceOrders publishes when the app has started: as a publisher does that has not changed yet, and
// as one that has.
func PlaceOrders(lc fx.Lifecycle, pub publisher.Publisher) {
	lc.Append(fx.StartHook(func(ctx context.Context) error {
		if err := pub.Publish(ctx, queue, Order{Number: 1, Email: "old@example.com"}, publisher.With(publisher.JSON)); err != nil {
			return err
		}
		return pub.Publish(ctx, queue, Order{Number: 2, Email: "new@example.com"})
	}))
}
