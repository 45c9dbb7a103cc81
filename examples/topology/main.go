// Topology is an app that writes its queues to a file, without a broker, and has a consumer for
// each region of its configuration.
//
//	go run ./examples/topology topology > topology.yml
//	go run ./cmd/bunnicula topology plan --file topology.yml
//	REGIONS=eu,us go run ./examples/topology
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "topology" {
		if err := writeTopology(os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	fx.New(app()).Run()
}

// writeTopology makes the app and does not start it, so nothing connects.
func writeTopology(w io.Writer) error {
	plans, err := consumer.Plans(app())
	if err != nil {
		return err
	}
	return topologyfile.Write(w, plans...)
}

func app() fx.Option {
	return fx.Options(
		connection.Module, publisher.Module, consumer.Module,
		fx.Supply(connection.Config{URL: os.Getenv("AMQP_URL"), Name: "topology"}),
		consumer.Provide(Shipments, Invoices),
		fx.StartTimeout(time.Minute),
		fx.StopTimeout(90*time.Second), // for handlers, which may take 60 s
	)
}

// Shipments has a queue and a consumer for each region in REGIONS. Its order is an invoice.
func Shipments(pub publisher.Publisher) []consumer.Spec {
	var all []consumer.Spec
	for region := range strings.SplitSeq(regions(), ",") {
		all = append(all, consumer.Spec{
			Queue:   prefix + "-shipments-" + region,
			Backoff: []time.Duration{10 * time.Second, time.Minute},
			Handler: consumer.JSON(func(ctx context.Context, msg consumer.Message[int]) consumer.Result {
				if err := pub.Publish(ctx, prefix+"-invoices", msg.Payload); err != nil {
					return consumer.Retry(err)
				}
				return consumer.Ack()
			}),
			Bindings: []topology.Bind{{Exchange: prefix, Kind: "topic", Keys: []string{"shipment." + region + ".*"}}},
		})
	}
	return all
}

// Invoices prints what was shipped.
func Invoices() consumer.Spec {
	return consumer.Spec{Queue: prefix + "-invoices", Handler: consumer.JSON(consumer.FromError(
		func(_ context.Context, msg consumer.Message[int]) error {
			_, err := fmt.Println("invoice for shipment", msg.Payload)
			return err
		}))}
}

var prefix = "example-topology"

func regions() string {
	if r := os.Getenv("REGIONS"); r != "" {
		return r
	}
	return "eu,us"
}
