package control_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/monitors"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

func TestAnAppWithEventsKeepsItsLog(t *testing.T) {
	was := slog.Default()
	t.Cleanup(func() { slog.SetDefault(was) })
	var log bytes.Buffer
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	var m *control.EventMonitor
	err := fx.New(fx.NopLogger, connection.Module, control.EventsModule, fx.Supply(connection.Config{URL: "amqp://127.0.0.1:1/"}),
		fx.Populate(&m), fx.Invoke(func(g monitors.Group) {
			g.Monitor().End(t.Context(), monitoring.Delivery{Queue: "orders", Attempt: 1}, monitoring.Outcome{Action: monitoring.Parked, Reason: monitoring.ReasonError})
		})).Err()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), `msg="message parked"`) {
		t.Errorf("the log has %q, want the line of the parked message", log.String())
	}
	if m.Stop(t.Context()); m.Stats().Dropped != 1 { // it was never started, and had the event
		t.Errorf("the events are %+v, want one that was dropped", m.Stats())
	}
}

func TestAnAppWithoutAConnectionIsToldWhatToAdd(t *testing.T) {
	err := fx.New(fx.NopLogger, control.EventsModule, fx.Invoke(func(monitors.Group) {})).Err()
	if err == nil || !strings.Contains(err.Error(), "add connection.Module") {
		t.Errorf("got %v, want it to say what to add", err)
	}
}

func TestAWrongConfigOfAnAppIsRefused(t *testing.T) {
	err := fx.New(fx.NopLogger, connection.Module, control.EventsModule, fx.Supply(connection.Config{URL: "amqp://127.0.0.1:1/"}, control.EventsConfig{Buffer: -1}),
		fx.Invoke(func(monitors.Group) {})).Err()
	if err == nil || !strings.Contains(err.Error(), "EventsConfig.Buffer is -1") {
		t.Errorf("got %v, want it to name the field", err)
	}
}
