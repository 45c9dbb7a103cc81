package statsd_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/foreign/foreigntest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/statsd"
)

func TestAnErrorOfAnyKindIsCounted(t *testing.T) {
	s := newServer(t)
	m := newMonitor(t, statsd.Config{Addr: s.addr()})
	want := 0
	for _, err := range foreigntest.Errors() {
		for _, err := range []error{err, foreign.Safe(err)} {
			want++
			m.End(t.Context(), monitoring.Delivery{Consumer: "orders"}, monitoring.Outcome{Action: monitoring.Parked, Reason: monitoring.ReasonError, Err: err})
		}
	}
	closed(t, m)
	got := map[string]int{}
	for _, one := range s.received(t) {
		got[one.name]++
	}
	if got["orders.error"] != want || got["orders.parked"] != want || len(got) != 2 {
		t.Errorf("received %v, want %d of both", got, want)
	}
}

func TestWhatIsInMessagesMakesNoNames(t *testing.T) {
	s := newServer(t)
	m := newMonitor(t, statsd.Config{Addr: s.addr()})
	for i := range 50 {
		id := fmt.Sprint(i)
		d := monitoring.Delivery{
			Consumer: "importer", Queue: "orders", Exchange: id, RoutingKey: "order." + id + ".created", Type: id, AppID: id, MessageID: id,
			ContentType: id, Headers: map[string]any{"bunnicula-reason": id},
		}
		m.End(t.Context(), d, monitoring.Outcome{Action: monitoring.Parked, Reason: monitoring.ReasonError, Err: errors.New(id), Group: id, Duration: time.Second})
	}
	closed(t, m)
	got := map[string]bool{}
	for _, one := range s.received(t) {
		got[one.name] = true
	}
	if len(got) != 3 {
		t.Errorf("the names are %v, want importer, importer.error and importer.parked", got)
	}
}
