// Fromclojure is a component that was written with Clojure's Bunnicula, moved: docs/BUNNICULA.md
// has both side by side. Its consumer shares its queue with those in Clojure that are still there.
//
//	AMQP_URL=amqp://guest:guest@localhost:5672/ go run ./examples/fromclojure
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/sentry"
	"github.com/bunnicula-go/bunnicula/monitoring/statsd"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

func main() { fx.New(app()).Run() }

func app() fx.Option {
	return fx.Options(
		connection.Module, publisher.Module, consumer.Module,
		statsd.Module, sentry.Module,
		monitoring.Provide(func() monitoring.Log { // as bunnicula.monitoring logs
			return monitoring.Log{AckedLevel: slog.LevelInfo, LogPayload: 100}
		}),
		fx.Supply(
			connection.Config{URL: os.Getenv("AMQP_URL"), VHost: os.Getenv("AMQP_VHOST"), Name: "billing"},
			statsd.Config{Addr: "localhost:8125", Prefix: "billing"},
			sentry.Config{DSN: os.Getenv("SENTRY_DSN")}, // without one it reports nothing
		),
		fx.Provide(NewLedger),
		consumer.Provide(Invoices),
		fx.StopTimeout(35*time.Second), // for a handler that takes its 20 s, and the rest
		theRest(),
	)
}

// Invoice is a message. Keywords of Clojure are its keys.
type Invoice struct {
	Number     int    `json:"number"`
	CustomerID string `json:"customer-id"`
}

// Receipt is published for each invoice that was entered.
type Receipt struct {
	Number int `json:"number"`
}

// Books has what the handler needs.
type Books struct {
	Ledger    *Ledger
	Publisher publisher.Publisher
}

// Enter is the handler.
func (b Books) Enter(ctx context.Context, msg consumer.Message[Invoice]) consumer.Result {
	invoice := msg.Payload
	if invoice.Number == 0 {
		return consumer.Error(errors.New("invoice has no number"))
	}
	if !b.Ledger.HasCustomer(invoice.CustomerID) {
		return consumer.Retry(nil) // who is about to sign up
	}
	if err := b.Ledger.Enter(ctx, invoice); err != nil {
		return consumer.Retry(err)
	}
	if err := b.Publisher.Publish(ctx, "receipts", Receipt{invoice.Number}); err != nil {
		return consumer.Retry(err)
	}
	return consumer.Ack()
}

// Invoices is the consumer.
func Invoices(ledger *Ledger, pub publisher.Publisher) consumer.Spec {
	return consumer.Spec{
		Queue:       "invoices",
		Scheme:      topology.Bunnicula, // what Clojure declares, while both consume
		Bindings:    []topology.Bind{{Exchange: "amq.direct"}},
		MaxRetries:  5,
		Backoff:     []time.Duration{30 * time.Second},
		Timeout:     20 * time.Second,
		Concurrency: 8,
		Handler:     consumer.JSON(Books{ledger, pub}.Enter),
	}
}
