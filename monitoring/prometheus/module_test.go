package prometheus_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	prom "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring/prometheus"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func TestAnAppIsMeasuredFromItsStartToItsStop(t *testing.T) {
	queue := amqptest.Queue(t, "metrics")
	registry := prom.NewRegistry()
	var pub publisher.Publisher
	app := fx.New(
		connection.Module, publisher.Module, consumer.Module, prometheus.Module, fx.NopLogger, fx.Populate(&pub),
		fx.Supply(
			slog.New(slog.DiscardHandler), connection.Config{URL: amqptest.URL(t), Name: "shop"}, prometheus.Config{Registerer: registry},
		),
		consumer.Provide(func() consumer.Spec {
			return consumer.Spec{Queue: queue, Name: "orders", Handler: func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }}
		}),
	)
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := pub.Publish(t.Context(), queue, 1); err != nil {
		t.Fatal(err)
	}
	value := func(name string, labels map[string]string) float64 {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				same := f.GetName() == name
				for _, l := range m.GetLabel() {
					if want, asked := labels[l.GetName()]; asked && want != l.GetValue() {
						same = false
					}
				}
				if same {
					return m.GetCounter().GetValue() + m.GetGauge().GetValue()
				}
			}
		}
		return -1
	}
	amqptest.Eventually(t, 5*time.Second, func() bool {
		return value("bunnicula_deliveries_total", map[string]string{"consumer": "orders", "action": "acked"}) == 1
	}, "the delivery is not counted")
	for name, labels := range map[string]map[string]string{
		"bunnicula_consumer_up":   {"consumer": "orders"},
		"bunnicula_connection_up": {"connection": "shop", "purpose": "consume"},
	} {
		if got := value(name, labels); got != 1 {
			t.Errorf("%s%v is %f, want 1", name, labels, got)
		}
	}
	for _, name := range []string{
		"connection_up", "connection_blocked", "connection_lost_total", "consumer_up", "consumer_handlers", "consumer_handlers_limit", "consumer_handlers_stuck",
		"consumer_monitors_blocked", "consumer_copies_blocked", "consumer_unreadable", "consumer_refused", "consumer_slow", "consumer_stale_acks_total",
	} {
		if value("bunnicula_"+name, nil) < 0 {
			t.Errorf("the app does not tell bunnicula_%s", name)
		}
	}
	if err := app.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(registry); n != 0 || err != nil {
		t.Errorf("%d metrics are left after the stop, %v", n, err)
	}
}

func TestAPanicOfASourceIsInTheAppsLog(t *testing.T) {
	registry := prom.NewRegistry()
	var m *prometheus.Monitor
	var log bytes.Buffer
	app := fx.New(
		prometheus.Module, fx.NopLogger, fx.Populate(&m),
		fx.Supply(slog.New(slog.NewTextHandler(&log, nil)), prometheus.Config{Registerer: registry}),
	)
	if err := app.Err(); err != nil {
		t.Fatal(err)
	}
	m.Watch(func(func(string, float64, ...string)) { panic("boom") })
	if _, err := registry.Gather(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "a source of metrics panicked") {
		t.Errorf("the app's log is %q", log.String())
	}
}
