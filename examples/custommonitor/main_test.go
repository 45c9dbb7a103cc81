package main

import (
	"testing"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
)

func TestTheMonitorIsToldOfBothOrders(t *testing.T) {
	t.Setenv("AMQP_URL", amqptest.URL(t))
	queue = amqptest.Queue(t, "custommonitor")
	counts.Init()
	var seen monitoringtest.Recorder
	app := fxtest.New(t, app(), monitoring.Provide(func() monitoring.Monitor { return &seen }), fx.NopLogger)
	app.RequireStart()
	if err := seen.Wait(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	app.RequireStop() // all monitors have been told of all that was settled
	if counts.Get("orders.acked").String() != "1" || counts.Get("orders.parked").String() != "1" {
		t.Errorf("counted %s", counts)
	}
}
