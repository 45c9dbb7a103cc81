package main

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

const want = `consumers:
  - queue: example-topology-invoices
    delays: [1m]
  - queue: example-topology-shipments-eu
    delays: [10s, 1m]
    bindings:
      - exchange: example-topology
        kind: topic
        keys: [shipment.eu.*]
  - queue: example-topology-shipments-us
    delays: [10s, 1m]
    bindings:
      - exchange: example-topology
        kind: topic
        keys: [shipment.us.*]
`

func TestTheFileIsWrittenWithoutABroker(t *testing.T) {
	t.Setenv("AMQP_URL", "amqp://guest:guest@127.0.0.1:1") // nobody listens there
	t.Setenv("REGIONS", "")
	var out bytes.Buffer
	if err := writeTopology(&out); err != nil {
		t.Fatal(err)
	}
	if out.String() != want {
		t.Errorf("wrote\n%s\nwant\n%s", out.String(), want)
	}
}

func TestWhatTheFileSaysIsWhatTheAppDeclares(t *testing.T) {
	t.Setenv("AMQP_URL", amqptest.URL(t))
	t.Setenv("REGIONS", "eu")
	before := prefix
	t.Cleanup(func() { prefix = before })
	prefix = amqptest.Queue(t, "topology")
	var out bytes.Buffer
	if err := writeTopology(&out); err != nil {
		t.Fatal(err)
	}
	file, err := topologyfile.Read("the app's", &out)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, top := range file.Topologies() {
		names = append(names, top.Names()...)
	}
	amqptest.Cleanup(t, names...)
	if !slices.Contains(names, prefix+"-shipments-eu-retry-10s") {
		t.Errorf("the file has the queues %q", names)
	}

	var seen monitoringtest.Recorder
	var pub publisher.Publisher
	app := fxtest.New(t, app(), monitoring.Provide(func() monitoring.Monitor { return &seen }), fx.NopLogger, fx.Populate(&pub))
	app.RequireStart()
	defer app.RequireStop()
	for _, name := range names {
		if !amqptest.Exists(t, name) {
			t.Errorf("the file has queue %q, and the broker has not", name)
		}
	}
	if err := pub.Publish(t.Context(), "shipment.eu.7", 7, publisher.Exchange(prefix)); err != nil {
		t.Fatal(err)
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return len(seen.Ends()) == 2 }, "not both consumers have a message")
	for _, end := range seen.Ends() {
		if end.Outcome.Action != monitoring.Acked {
			t.Errorf("%s: %s, %v", end.Delivery.Queue, end.Outcome.Action, end.Outcome.Err)
		}
	}
}
