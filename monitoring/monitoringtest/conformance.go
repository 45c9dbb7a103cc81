package monitoringtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/foreign/foreigntest"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Conformance checks that a Monitor accepts every possible delivery. It must not panic, lose the
// context's values, change the delivery or make its caller wait, and many goroutines may call it at
// once. Run Conformance with -race.
//
// Among the outcomes are errors of every kind that a handler may return, as a consumer hands them
// on: nil pointers, errors that panic, that wrap themselves, that have megabytes of text or bytes
// that are no text.
//
// newMonitor is called once for each subtest. It registers with t.Cleanup what must be closed. Also
// run Conformance for a Monitor whose server is down: it must pass too.
func Conformance(t *testing.T, newMonitor func(t *testing.T) monitoring.Monitor) {
	t.Helper()
	for _, check := range []struct {
		name string
		run  func(*testing.T, monitoring.Monitor)
	}{
		{"survives every outcome of every delivery", survives},
		{"survives an End without a Begin", survivesLoneEnd},
		{"survives a context that has ended", survivesEndedContext},
		{"keeps the values of the context", keepsContext},
		{"leaves the delivery as it was", leavesDelivery},
		{"can be used from many goroutines", concurrent},
		{"does not make its caller wait", prompt},
	} {
		t.Run(check.name, func(t *testing.T) { check.run(t, newMonitor(t)) })
	}
}

func survives(t *testing.T, m monitoring.Monitor) {
	for _, o := range outcomes() {
		tell(t, context.Background(), m, ordinary(), o)
	}
	for _, d := range deliveries() {
		for _, o := range outcomesOfNote() {
			tell(t, context.Background(), m, d, o)
		}
	}
}

func survivesLoneEnd(t *testing.T, m monitoring.Monitor) {
	for _, o := range outcomesOfNote() {
		end(t, context.Background(), m, ordinary(), o)
	}
}

func survivesEndedContext(t *testing.T, m monitoring.Monitor) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, o := range outcomesOfNote() {
		tell(t, ctx, m, ordinary(), o)
	}
}

func keepsContext(t *testing.T, m monitoring.Monitor) {
	type key struct{}
	parent, cancel := context.WithCancelCause(context.WithValue(context.Background(), key{}, "kept"))
	defer cancel(nil)
	ctx := begin(t, parent, m, ordinary())
	if got := ctx.Value(key{}); got != "kept" {
		t.Errorf("Begin's context has %v for the parent's value; want it kept", got)
	}
	if err := ctx.Err(); err != nil {
		t.Errorf("Begin's context has ended: %v", err)
	}
	cause := errors.New("the handler's timeout")
	cancel(cause)
	select {
	case <-ctx.Done():
	case <-time.After(bound):
		t.Fatal("Begin's context does not end with its parent: a handler would run past its timeout")
	}
	if got := context.Cause(ctx); !errors.Is(got, cause) {
		t.Errorf("Begin's context ended because of %v; want the parent's cause", got)
	}
	end(t, context.WithoutCancel(ctx), m, ordinary(), monitoring.Outcome{Action: monitoring.Acked})
}

func leavesDelivery(t *testing.T, m monitoring.Monitor) {
	for i, d := range deliveries() {
		for _, o := range outcomesOfNote() {
			tell(t, context.Background(), m, d, o)
		}
		if want := deliveries()[i]; !reflect.DeepEqual(d, want) {
			t.Errorf("the delivery was changed; %s", describe(d, monitoring.Outcome{}))
		}
	}
}

func concurrent(t *testing.T, m monitoring.Monitor) {
	d := ordinary() // shared, so that the race detector notices a write to its headers or body
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				for _, o := range outcomesOfNote() {
					tell(t, context.Background(), m, d, o)
				}
			}
		})
	}
	wg.Wait()
}

// bound is long enough that a Monitor exceeds it only if it blocks.
const bound = 5 * time.Second

func prompt(t *testing.T, m monitoring.Monitor) {
	const calls = 500
	d, all := ordinary(), outcomesOfNote()
	start := time.Now()
	for i := range calls {
		tell(t, context.Background(), m, d, all[i%len(all)])
		if took := time.Since(start); took > bound {
			t.Fatalf("%d deliveries took %v; want %d in less than %v", i+1, took, calls, bound)
		}
	}
}

func tell(t *testing.T, ctx context.Context, m monitoring.Monitor, d monitoring.Delivery, o monitoring.Outcome) {
	t.Helper()
	end(t, context.WithoutCancel(begin(t, ctx, m, d)), m, d, o)
}

func begin(t *testing.T, ctx context.Context, m monitoring.Monitor, d monitoring.Delivery) context.Context {
	t.Helper()
	defer noPanic(t, "Begin", d, monitoring.Outcome{})
	if out := m.Begin(ctx, d); out != nil {
		return out
	}
	return ctx
}

func end(t *testing.T, ctx context.Context, m monitoring.Monitor, d monitoring.Delivery, o monitoring.Outcome) {
	t.Helper()
	defer noPanic(t, "End", d, o)
	m.End(ctx, d, o)
}

// noPanic reports only the first panic of a test: the others would be the same.
func noPanic(t *testing.T, method string, d monitoring.Delivery, o monitoring.Outcome) {
	t.Helper()
	if p := recover(); p != nil && !t.Failed() {
		t.Errorf("%s panicked: %v\n%s\n%s", method, p, describe(d, o), debug.Stack())
	}
}

// describe returns a short text, because some deliveries are large. It calls no method of the
// error.
func describe(d monitoring.Delivery, o monitoring.Outcome) string {
	return fmt.Sprintf("delivery: consumer %.40q, attempt %d of %d, %d headers, body of %d bytes; outcome: %v, reason %q, error of type %T",
		d.Consumer, d.Attempt, d.MaxRetries+1, len(d.Headers), len(d.Body), o.Action, o.Reason, o.Err)
}

// ordinary is a usual delivery.
func ordinary() monitoring.Delivery {
	return monitoring.Delivery{
		Consumer: "orders", Queue: "orders", Attempt: 2, MaxRetries: 3,
		Body: []byte(`{"id":7}`), Headers: map[string]any{"tenant": "acme"},
		RoutingKey: "orders", MessageID: "0192f0c1-7a3e-7c55-9a51-5d2f3f6c1a00", ContentType: "application/json",
	}
}

// deliveries returns unusual ones: empty, with bytes that are not text, with headers of every type.
func deliveries() []monitoring.Delivery {
	strange := string([]byte{0, 0xff, 0xfe, '\n', ':', '|', '@', '#', ' ', '"'})
	odd := ordinary()
	odd.Consumer, odd.Queue, odd.MessageID, odd.RoutingKey, odd.Type = strange, strange, strange, strange, strange
	odd.Body = []byte(strange)
	odd.Headers = map[string]any{
		strange: strange,
		"":      nil,
		"table": map[string]any{"list": []any{int64(1), nil, []byte{0xff}, map[string]any{}}},
		"time":  time.Unix(0, 0).UTC(),
		"bytes": []byte{0, 1, 2},
		"float": -1.5,
		"big":   uint64(1 << 63),
	}

	large := ordinary()
	large.Consumer, large.Queue = strings.Repeat("q", 255), strings.Repeat("é", 127)
	large.Body = []byte(strings.Repeat("€", 1<<18))

	negative := ordinary()
	negative.Attempt, negative.MaxRetries = -1, -1
	return []monitoring.Delivery{{}, ordinary(), odd, large, negative}
}

// outcomes returns all actions with all reasons, including impossible combinations.
func outcomes() []monitoring.Outcome {
	var all []monitoring.Outcome
	for action := monitoring.Action(-1); action <= monitoring.Interrupted+1; action++ {
		for _, reason := range []monitoring.Reason{
			monitoring.ReasonNone, monitoring.ReasonRetry, monitoring.ReasonError, monitoring.ReasonRetriesExhausted,
			monitoring.ReasonTimeout, monitoring.ReasonPanic, monitoring.ReasonUndecodable, monitoring.ReasonCrashed, monitoring.ReasonRefused, "unheard of",
		} {
			all = append(all, monitoring.Outcome{Action: action, Reason: reason, Group: "g", Duration: time.Millisecond})
		}
	}
	return all
}

// outcomesOfNote returns a few outcomes, to be combined with all deliveries.
func outcomesOfNote() []monitoring.Outcome {
	parked := func(r monitoring.Reason, err error) monitoring.Outcome {
		return monitoring.Outcome{Action: monitoring.Parked, Reason: r, Err: err, Group: "g", Duration: time.Second}
	}
	crash := parked(monitoring.ReasonPanic, errors.New("nil map"))
	crash.Stack = string(debug.Stack())
	garbled := parked(monitoring.ReasonPanic, errors.New(string([]byte{0xff, 0, '\n'})))
	garbled.Stack = "no\nstack \xff\n\t:0 +0x\n\t:x\n("
	all := []monitoring.Outcome{
		{},
		{Action: monitoring.Acked, Duration: -1},
		{Action: monitoring.Retried, Reason: monitoring.ReasonRetry, Delay: time.Minute, Err: errBroken},
		{Action: monitoring.Snoozed, Delay: time.Hour},
		{Action: monitoring.Snoozed, Delay: time.Hour, Err: errBroken},
		parked(monitoring.ReasonError, nil),
		parked(monitoring.ReasonRetriesExhausted, errLong),
		parked(monitoring.ReasonError, fmt.Errorf("outer: %w", errors.Join(errBroken, nil, errors.New("")))),
		parked(monitoring.ReasonTimeout, fmt.Errorf("charge: %w", context.DeadlineExceeded)),
		crash,
		garbled,
	}
	for _, err := range strangeErrors() {
		all = append(all, parked(monitoring.ReasonError, err), parked(monitoring.ReasonTimeout, errors.Join(context.DeadlineExceeded, err)))
	}
	return all
}

// strangeErrors returns errors of every kind, as a consumer hands them on.
var strangeErrors = sync.OnceValue(func() []error {
	var all []error
	errs := foreigntest.Errors()
	for _, kind := range slices.Sorted(maps.Keys(errs)) {
		all = append(all, foreign.Safe(errs[kind]))
	}
	return all
})

var (
	errBroken = errors.New("it is broken")
	errLong   = errors.New(strings.Repeat("long ", 1<<18))
)
