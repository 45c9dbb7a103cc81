package monitors_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/internal/monitors"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
)

func TestOneMonitorsPanicDoesNotReachTheOthers(t *testing.T) {
	var before, after monitoringtest.Recorder
	var log bytes.Buffer
	m := monitoring.Multi(&before, monitors.Shield(jsonLogger(&log), panicker{}), &after)

	d, o := monitoring.Delivery{Consumer: "orders", MessageID: "m1"}, monitoring.Outcome{Action: monitoring.Acked}
	m.End(m.Begin(t.Context(), d), d, o)

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
			"level": "ERROR", "msg": "monitor panicked", "monitor": "monitors_test.panicker", "method": method,
			"consumer": "orders", "message_id": "m1", "panic": "out of paper in " + method,
		})
	}
}

func TestPanicsGoToTheDefaultLoggerWithoutAnother(t *testing.T) {
	var log bytes.Buffer
	was := slog.Default()
	t.Cleanup(func() { slog.SetDefault(was) })
	slog.SetDefault(jsonLogger(&log))

	monitoring.Multi(panicker{}).End(t.Context(), monitoring.Delivery{}, monitoring.Outcome{})
	if !strings.Contains(log.String(), `"msg":"monitor panicked"`) {
		t.Errorf("logged %q; want the panic", log.String())
	}
}

func TestShieldReplacesANilContext(t *testing.T) {
	m := monitors.Shield(nil, forgetful{})
	if got := m.Begin(t.Context(), monitoring.Delivery{}); got != t.Context() {
		t.Errorf("Begin returned %v; want the context that went in", got)
	}
}

func TestShieldDoesNotWrapTwice(t *testing.T) {
	once := monitors.Shield(nil, panicker{})
	if twice := monitors.Shield(nil, once); twice != once {
		t.Errorf("shielded twice it is %v; want %v", twice, once)
	}
	if got := monitors.Shield(nil, nil); got != (monitoring.Nop{}) {
		t.Errorf("nil shielded is %T; want Nop", got)
	}
}

func TestAPanicWithAnErrorShowsItsText(t *testing.T) {
	var log bytes.Buffer
	m := monitors.Shield(jsonLogger(&log), monitoring.Callbacks{
		OnSuccess: func(context.Context, monitoring.Delivery, monitoring.Outcome) { panic(errors.New("no disk")) },
	})
	m.End(t.Context(), monitoring.Delivery{}, monitoring.Outcome{Action: monitoring.Acked})
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

func jsonLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func same(t *testing.T, got, want map[string]any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// What a Multi of the user's was made of has no logger of its own; the consumer's is given to each.
func TestThePanicsInAMultiGoToTheLoggerOfWhoCallsIt(t *testing.T) {
	var log bytes.Buffer
	m := monitors.Shield(jsonLogger(&log), monitoring.Multi(panicker{}, panicker{}))
	m.End(m.Begin(t.Context(), monitoring.Delivery{}), monitoring.Delivery{}, monitoring.Outcome{})
	if n := strings.Count(log.String(), `"msg":"monitor panicked"`); n != 4 {
		t.Errorf("logged %d panics, want those of Begin and End of both:\n%s", n, log.String())
	}
}
