package console

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/monitors"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// end tells the Monitor of a message.
func end(m *Monitor, queue string, action monitoring.Action, group, failure string) {
	d := monitoring.Delivery{Queue: queue, Consumer: queue}
	m.End(m.Begin(context.Background(), d), d, monitoring.Outcome{Action: action, Reason: monitoring.ReasonError, Group: group, Err: errors.New(failure)})
}

func TestTheMonitorCountsWhatWasParkedSinceAMomentByKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Monitor
		end(&m, "orders", monitoring.Parked, "g1", "too early to count")
		time.Sleep(time.Second)
		since := time.Now()
		time.Sleep(time.Second)
		for range 3 {
			end(&m, "orders", monitoring.Parked, "g2", "refused\x1b[31m\u202e")
		}
		end(&m, "orders.p03", monitoring.Parked, "g1", "declined")
		end(&m, "orders", monitoring.Acked, "", "")
		end(&m, "orders", monitoring.Retried, "g1", "declined")
		end(&m, "refunds", monitoring.Parked, "g1", "declined")
		counts, total, whole := m.since("orders", since)
		if total != 4 || !whole || len(counts) != 2 || counts[0].Count != 3 || counts[0].Group != "g2" || counts[1].Group != "g1" {
			t.Errorf("%+v, %d in all, whole: %v", counts, total, whole)
		}
		if strings.ContainsAny(counts[0].Error, "\x1b\u202e") || !counts[0].Last.Equal(time.Now()) {
			t.Errorf("the first kind is %+v", counts[0])
		}
	})
}

func TestTheMonitorsMemoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Monitor
		since := time.Now()
		time.Sleep(time.Second)
		for i := range 3 * mostParkings {
			end(&m, "orders", monitoring.Parked, fmt.Sprint("g", i%(mostKinds+50)), strings.Repeat("x", 10_000))
		}
		if len(m.last) != mostParkings || len(m.kinds) > mostKinds {
			t.Errorf("%d messages and %d kinds are remembered", len(m.last), len(m.kinds))
		}
		for _, k := range m.kinds {
			if len(k.err) > mostKindText {
				t.Fatalf("an error has %d bytes", len(k.err))
			}
		}
		if counts, total, whole := m.since("orders", since); total != mostParkings || whole || len(counts) > mostKinds+1 {
			t.Errorf("%d of %d kinds, whole: %v", total, len(counts), whole)
		}
		// What is over makes room: kinds that are not remembered any more are forgotten.
		for range mostParkings {
			end(&m, "orders", monitoring.Parked, "last", "x")
		}
		if len(m.kinds) != 1 {
			t.Errorf("%d kinds are remembered, want the last one", len(m.kinds))
		}
	})
}

func TestAnAckedMessageCostsTheMonitorNothing(t *testing.T) {
	var m Monitor
	d, o := monitoring.Delivery{Queue: "orders"}, monitoring.Outcome{Action: monitoring.Acked}
	ctx := context.Background()
	if n := testing.AllocsPerRun(100, func() { m.End(m.Begin(ctx, d), d, o) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// BenchmarkTheMonitor measures what a message costs beside a handler that does nothing.
func BenchmarkTheMonitor(b *testing.B) {
	handler, err := consumer.New(away(b), consumer.Spec{Queue: "orders", Handler: func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }}, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("bare handler", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			handler.Process(b.Context(), amqp.Delivery{Body: []byte("{}")})
		}
	})
	for name, action := range map[string]monitoring.Action{"acked": monitoring.Acked, "parked": monitoring.Parked} {
		b.Run(name, func(b *testing.B) {
			m := &Monitor{}
			d, o := monitoring.Delivery{Queue: "orders"}, monitoring.Outcome{Action: action, Group: "g", Err: errors.New("declined")}
			b.ReportAllocs()
			for b.Loop() {
				m.End(m.Begin(b.Context(), d), d, o)
			}
		})
	}
}

func TestTheMonitorModuleLeavesTheLogWhereItIs(t *testing.T) {
	var all monitoring.Monitor
	var m *Monitor
	app := fxtest.New(t, fx.NopLogger, MonitorModule, fx.Invoke(func(g monitors.Group, own *Monitor) { all, m = g.Monitor(), own }))
	app.RequireStart().RequireStop()
	end := all.End
	end(context.Background(), monitoring.Delivery{Queue: "orders"}, monitoring.Outcome{Action: monitoring.Parked, Group: "g"})
	if _, total, _ := m.since("orders", time.Time{}); total != 1 {
		t.Errorf("%d are counted", total)
	}
	if got := fmt.Sprintf("%#v", all); !strings.Contains(got, "monitoring.Log") {
		t.Errorf("the log is gone: %s", got)
	}
}

func TestAQueuesPageSaysWhatThisProcessHasParkedSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &Monitor{}
		redact := func(m *errorqueue.Message) { m.Error = strings.ReplaceAll(m.Error, "4711", "····") }
		c := made(t, Config{Monitor: m, Redact: redact}, oneOf("id-1", "boom"))
		read(t, c, "/q/orders-error")
		if page := read(t, c, "/q/orders-error"); strings.Contains(page, "Parked by this process") {
			t.Errorf("nothing was parked, and the page says:\n%s", page)
		}
		time.Sleep(time.Second)
		end(m, "orders", monitoring.Parked, "g", "card 4711 <b>declined</b>")
		end(m, "refunds", monitoring.Parked, "g", "not of this queue")
		page := read(t, c, "/q/orders-error")
		for _, want := range []string{"Parked by this process", "card ···· &lt;b&gt;declined&lt;/b&gt;", "/q/orders-error/g/" + groupName("g")} {
			if !strings.Contains(page, want) {
				t.Errorf("the page lacks %q:\n%s", want, page)
			}
		}
		if strings.Contains(page, "not of this queue") {
			t.Error("the page has what another queue's consumer has parked")
		}
	})
}
