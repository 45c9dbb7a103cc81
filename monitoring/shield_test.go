package monitoring_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/internal/applog"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
)

func TestOneMonitorsPanicDoesNotReachTheOthers(t *testing.T) {
	var before, after monitoringtest.Recorder
	var log bytes.Buffer
	m := monitoring.Multi(&before, panicker{}, &after)

	ctx := applog.With(t.Context(), jsonLogger(&log))
	d, o := monitoring.Delivery{Consumer: "orders", MessageID: "m1"}, monitoring.Outcome{Action: monitoring.Acked}
	m.End(m.Begin(ctx, d), d, o)

	for name, rec := range map[string]*monitoringtest.Recorder{"before": &before, "after": &after} {
		if ends := rec.Ends(); len(ends) != 1 || !ends[0].Begun || ends[0].Outcome != o {
			t.Errorf("the one %s was told %v; want one End with its own context", name, ends)
		}
	}
	lines := json.NewDecoder(&log)
	for _, method := range []string{"Begin", "End"} {
		var line map[string]any
		if err := lines.Decode(&line); err != nil {
			t.Fatalf("no line for %s: %v", method, err)
		}
		stack, _ := line["stack"].(string)
		if !strings.Contains(stack, "panicker."+method) {
			t.Errorf("the stack does not show who panicked:\n%s", stack)
		}
		delete(line, "stack")
		delete(line, "time")
		same(t, line, map[string]any{
			"level": "ERROR", "msg": "monitor panicked", "monitor": "monitoring_test.panicker", "method": method,
			"consumer": "orders", "message_id": "m1", "panic": "out of paper in " + method,
		})
	}
}

func TestPanicsGoToTheDefaultLoggerWithoutAConsumer(t *testing.T) {
	var log bytes.Buffer
	was := slog.Default()
	t.Cleanup(func() { slog.SetDefault(was) })
	slog.SetDefault(jsonLogger(&log))

	monitoring.Multi(panicker{}).End(t.Context(), monitoring.Delivery{}, monitoring.Outcome{})
	if !strings.Contains(log.String(), `"msg":"monitor panicked"`) {
		t.Errorf("logged %q; want the panic", log.String())
	}
}

func TestMultiReplacesANilContext(t *testing.T) {
	m := monitoring.Multi(forgetful{})
	if got := m.Begin(t.Context(), monitoring.Delivery{}); got != t.Context() {
		t.Errorf("Begin returned %v; want the context that went in", got)
	}
}

func TestMultiDoesNotShieldTwice(t *testing.T) {
	once := monitoring.Multi(panicker{})
	if twice := monitoring.Multi(once); twice != once {
		t.Errorf("shielded twice it is %v; want %v", twice, once)
	}
}

func TestAPanicWithAnErrorShowsItsText(t *testing.T) {
	var log bytes.Buffer
	m := monitoring.Multi(monitoring.Callbacks{
		OnSuccess: func(context.Context, monitoring.Delivery, monitoring.Outcome) { panic(errors.New("no disk")) },
	})
	m.End(applog.With(t.Context(), jsonLogger(&log)), monitoring.Delivery{}, monitoring.Outcome{Action: monitoring.Acked})
	if !strings.Contains(log.String(), `"panic":"no disk"`) {
		t.Errorf("logged %s; want the error's text", log.String())
	}
}

type panicker struct{}

func (panicker) Begin(context.Context, monitoring.Delivery) context.Context {
	panic("out of paper in Begin")
}
func (panicker) End(context.Context, monitoring.Delivery, monitoring.Outcome) {
	panic("out of paper in End")
}

type forgetful struct{ monitoring.Nop }

func (forgetful) Begin(context.Context, monitoring.Delivery) context.Context { return nil }
