package consumer

import (
	"fmt"
	"reflect"
	"testing"
)

func TestMetricsTellWhatHealthSays(t *testing.T) {
	for _, row := range []struct {
		health Health
		want   []string
	}{
		{Health{Ready: true, Running: 3, Limit: 8}, []string{
			"up 1", "handlers 3", "handlers_limit 8", "handlers_stuck 0", "monitors_blocked 0", "copies_blocked 0", "unreadable 0", "refused 0", "slow 0", "stale_acks_total 0",
		}},
		{Health{Running: 4, Stuck: 4, Limit: 4, MonitorsBlocked: 1, CopiesBlocked: 2, Unreadable: 6, Refused: 7, StaleAcks: 5, Slow: true}, []string{
			"up 0", "handlers 4", "handlers_limit 4", "handlers_stuck 4", "monitors_blocked 1", "copies_blocked 2", "unreadable 6", "refused 7", "slow 1", "stale_acks_total 5",
		}},
	} {
		for i := range row.want {
			row.want[i] = "consumer_" + row.want[i] + " [billing orders]"
		}
		var got []string
		row.health.metrics(func(name string, value float64, labels ...string) {
			got = append(got, fmt.Sprint(name, " ", value, " ", labels))
		}, "billing", "orders")
		if !reflect.DeepEqual(got, row.want) {
			t.Errorf("%+v:\n%q, want\n%q", row.health, got, row.want)
		}
	}
}
