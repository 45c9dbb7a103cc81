package monitoring_test

import (
	"context"
	"errors"
	"fmt"
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
	boom := errors.New("boom")
	for _, c := range []struct {
		action monitoring.Action
		reason monitoring.Reason
		err    error
		want   string // "" is none
	}{
		{monitoring.Acked, monitoring.ReasonNone, nil, "success"},
		{retried, monitoring.ReasonRetry, nil, "retry"},
		{parked, monitoring.ReasonRetriesExhausted, nil, "retry"},
		{retried, monitoring.ReasonRetry, boom, "exception"},
		{parked, monitoring.ReasonRetriesExhausted, boom, "exception"},
		{parked, monitoring.ReasonError, nil, "error"},
		{parked, monitoring.ReasonError, boom, "error"},
		{retried, monitoring.ReasonTimeout, nil, "timeout"},
		{parked, monitoring.ReasonTimeout, boom, "timeout"},
		{retried, monitoring.ReasonPanic, nil, "exception"},
		{parked, monitoring.ReasonPanic, nil, "exception"},
		{parked, monitoring.ReasonUndecodable, nil, "exception"},
		{parked, monitoring.ReasonCrashed, nil, "exception"},
		{parked, monitoring.ReasonRefused, boom, "exception"},
		{monitoring.Snoozed, monitoring.ReasonNone, nil, "snooze"},
		{monitoring.Snoozed, monitoring.ReasonNone, boom, "snooze"},
		{monitoring.Interrupted, monitoring.ReasonNone, nil, ""},

		{retried, "unheard of", nil, "retry"},
		{parked, "unheard of", nil, "error"},
		{0, monitoring.ReasonError, nil, ""},
	} {
		t.Run(fmt.Sprint(c.action, " ", c.reason, " ", c.err), func(t *testing.T) {
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
			d, o := monitoring.Delivery{Consumer: "orders"}, monitoring.Outcome{Action: c.action, Reason: c.reason, Err: c.err}
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
