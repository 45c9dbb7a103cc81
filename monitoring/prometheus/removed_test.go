package prometheus_test

import (
	"context"
	"fmt"
	"testing"

	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// seriesOf is how many series a scrape has of each consumer.
func seriesOf(t *testing.T, registry *prom.Registry) map[string]int {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]int{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetName() == "consumer" {
					all[l.GetValue()]++
				}
			}
		}
	}
	return all
}

func TestAConsumerThatWasRemovedHasNoSeriesOnceItIsForgotten(t *testing.T) {
	m, registry := newMonitor(t)
	var all []*consumer.Consumer
	for _, queue := range []string{"orders", "acme"} {
		c, err := consumer.New(nil, consumer.Spec{Queue: queue, Handler: func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }}, m, nil)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
		m.End(t.Context(), monitoring.Delivery{Consumer: queue, Attempt: 1}, monitoring.Outcome{Action: monitoring.Acked, Duration: 1})
	}
	group, err := consumer.NewGroup(all[0])
	if err != nil {
		t.Fatal(err)
	}
	m.Watch(group.Metrics)
	const figures, counted = 10, 3 // of a consumer at the moment, and of its deliveries
	for _, step := range []struct {
		what string
		do   func() error
		want map[string]int
	}{
		{"at first", func() error { return nil }, map[string]int{"orders": figures + counted, "acme": counted}},
		{"added", func() error { return group.AddConsumer(t.Context(), all[1]) }, map[string]int{"orders": figures + counted, "acme": figures + counted}},
		{"removed", func() error { return group.Remove(t.Context(), "acme") }, map[string]int{"orders": figures + counted, "acme": counted}},
		{"forgotten", func() error { m.Forget("acme"); return nil }, map[string]int{"orders": figures + counted}},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		if got := seriesOf(t, registry); fmt.Sprint(got) != fmt.Sprint(step.want) {
			t.Errorf("%s: %v, want %v", step.what, got, step.want)
		}
	}
}
