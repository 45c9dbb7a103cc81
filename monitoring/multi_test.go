package monitoring_test

import (
	"context"
	"reflect"
	"testing"

	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
)

func TestMultiPassesConformance(t *testing.T) {
	monitoringtest.Conformance(t, func(*testing.T) monitoring.Monitor { return monitoring.Multi() })
	monitoringtest.Conformance(t, func(*testing.T) monitoring.Monitor {
		return monitoring.Multi(new(monitoringtest.Recorder), nil, monitoring.Callbacks{})
	})
}

func TestMultiBeginsInOrderAndEndsInReverse(t *testing.T) {
	var calls []string
	m := monitoring.Multi(
		tracer{"a", &calls},
		nil,
		monitoring.Multi(tracer{"b", &calls}, monitoring.Nop{}),
		tracer{"c", &calls},
	)
	d := monitoring.Delivery{}
	m.End(m.Begin(t.Context(), d), d, monitoring.Outcome{})
	want := []string{
		"begin a in <nil>", "begin b in a", "begin c in b",
		"end c in c", "end b in c", "end a in c",
	}
	if !reflect.DeepEqual(calls, want) {
		t.Errorf("calls are %q; want %q", calls, want)
	}
}

func TestMultiOfNothingDoesNothing(t *testing.T) {
	for name, m := range map[string]monitoring.Monitor{
		"none":    monitoring.Multi(),
		"nil":     monitoring.Multi(nil, nil),
		"nothing": monitoring.Multi(monitoring.Nop{}, monitoring.Multi()),
	} {
		if m != (monitoring.Nop{}) {
			t.Errorf("of %s it is %T; want Nop", name, m)
		}
	}
	d, m := monitoring.Delivery{}, monitoring.Multi()
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() { m.End(m.Begin(ctx, d), d, monitoring.Outcome{}) }); n != 0 {
		t.Errorf("a delivery allocates %v times; want never", n)
	}
}

type tracerKey struct{}

// tracer adds its name to the context, and records the names that it finds there.
type tracer struct {
	name  string
	calls *[]string
}

func (t tracer) Begin(ctx context.Context, _ monitoring.Delivery) context.Context {
	t.note("begin", ctx)
	return context.WithValue(ctx, tracerKey{}, t.name)
}

func (t tracer) End(ctx context.Context, _ monitoring.Delivery, _ monitoring.Outcome) {
	t.note("end", ctx)
}

func (t tracer) note(what string, ctx context.Context) {
	found, ok := ctx.Value(tracerKey{}).(string)
	if !ok {
		found = "<nil>"
	}
	*t.calls = append(*t.calls, what+" "+t.name+" in "+found)
}
