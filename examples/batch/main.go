// Batch writes orders into a database, up to fifty in one transaction. The database is SQLite,
// which needs no server; for another one Store.Insert says what to change.
//
//	AMQP_URL=amqp://guest:guest@localhost:5672/ go run ./examples/batch
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/use"
)

func main() { fx.New(app(filepath.Join(os.TempDir(), "bunnicula-orders.db"))).Run() }

func app(file string) fx.Option {
	return fx.Options(
		connection.Module, publisher.Module, consumer.Module,
		fx.Supply(connection.Config{URL: os.Getenv("AMQP_URL"), Name: "batch"}),
		fx.Provide(func(lc fx.Lifecycle) (*Store, error) {
			s, err := Open(context.Background(), file)
			if err == nil {
				lc.Append(fx.StopHook(s.Close))
			}
			return s, err
		}),
		consumer.Provide(Orders),
		fx.Invoke(PlaceOrders),
		fx.StopTimeout(90*time.Second), // for handlers, which may take 60 s
	)
}

var queue = "example-batch"

// Orders has twice as many slots as a batch, so that one gathers while another is committed.
func Orders(s *Store) consumer.Spec {
	return consumer.Spec{
		Queue: queue, Concurrency: 100,
		Handler: use.JSONBatch(50, 100*time.Millisecond, s.Insert),
	}
}

// PlaceOrders publishes when the app has started. One order has an amount that the database
// refuses.
func PlaceOrders(lc fx.Lifecycle, pub publisher.Publisher) {
	lc.Append(fx.StartHook(func(ctx context.Context) error {
		orders := make([]publisher.Message, 120)
		for n := range orders {
			orders[n] = publisher.Message{RoutingKey: queue, Payload: Order{Number: n, Cents: 100}}
		}
		orders[7].Payload = Order{Number: 7}
		if err := pub.PublishBatch(ctx, orders...); err != nil {
			return fmt.Errorf("place orders: %w", err)
		}
		return nil
	}))
}
