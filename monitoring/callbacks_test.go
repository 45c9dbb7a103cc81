package monitoring_test

import (
	"context"
	"slices"
	"testing"

	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
)

func TestCallbacksPassConformance(t *testing.T) {
	monitoringtest.Conformance(t, func(*testing.T) monitoring.Monitor { return monitoring.Callbacks{} })
	monitoringtest.Conformance(t, func(*testing.T) monitoring.Monitor {
		ignore := func(context.Context, monitoring.Delivery, monitoring.Outcome) {}
		return monitoring.Callbacks{
			OnSuccess: ignore, OnRetry: ignore, OnError: ignore, OnTimeout: ignore, OnException: ignore, OnSnooze: ignore,
		}
	})
}

func TestEachOutcomeCallsTheFunctionThatClojureCalls(t *testing.T) {
	const retried, parked = monitoring.Retried, monitoring.Parked
	for _, c := range []struct {
		action monitoring.Action
		reason monitoring.Reason
		want   string // "" is none
	}{
		{monitoring.Acked, monitoring.ReasonNone, "success"},
		{retried, monitoring.ReasonRetry, "retry"},
		{parked, monitoring.ReasonRetriesExhausted, "retry"},
		{parked, monitoring.ReasonError, "error"},
		{retried, monitoring.ReasonTimeout, "timeout"},
		{parked, monitoring.ReasonTimeout, "timeout"},
		{retried, monitoring.ReasonPanic, "exception"},
		{parked, monitoring.ReasonPanic, "exception"},
		{parked, monitoring.ReasonUndecodable, "exception"},
		{parked, monitoring.ReasonCrashed, "exception"},
		{monitoring.Snoozed, monitoring.ReasonNone, "snooze"},
		{monitoring.Interrupted, monitoring.ReasonNone, ""},

		{retried, "unheard of", "retry"},
		{parked, "unheard of", "error"},
		{0, monitoring.ReasonError, ""},
	} {
		t.Run(c.action.String()+" "+string(c.reason), func(t *testing.T) {
			var called []string
			on := func(name string) func(context.Context, monitoring.Delivery, monitoring.Outcome) {
				return func(_ context.Context, d monitoring.Delivery, o monitoring.Outcome) {
					if d.Consumer != "orders" || o.Action != c.action {
						t.Errorf("%s was given %q and %v", name, d.Consumer, o.Action)
					}
					called = append(called, name)
				}
			}
			m := monitoring.Callbacks{
				OnSuccess: on("success"), OnRetry: on("retry"), OnError: on("error"),
				OnTimeout: on("timeout"), OnException: on("exception"), OnSnooze: on("snooze"),
			}
			d, o := monitoring.Delivery{Consumer: "orders"}, monitoring.Outcome{Action: c.action, Reason: c.reason}
			m.End(m.Begin(t.Context(), d), d, o)

			var want []string
			if c.want != "" {
				want = []string{c.want}
			}
			if !slices.Equal(called, want) {
				t.Errorf("called %v; want %v", called, want)
			}
		})
	}
}
