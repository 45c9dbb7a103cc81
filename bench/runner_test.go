package main

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/bench/turn"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestEveryCaseThatNeedsNoBrokerRunsBesideAPeer(t *testing.T) {
	for _, w := range workloads() {
		if !w.OnPeer {
			continue
		}
		count := 300
		if w.Idle {
			count = 0
		}
		c := playOnPeer(t, w.Name, 1, count)
		if len(c.Sides) != len(w.Sides) {
			t.Errorf("%s: %d sides, want %d", w.Name, len(c.Sides), len(w.Sides))
		}
		for _, s := range c.Sides {
			for _, m := range append([]turn.Metric{w.Figure}, w.Columns...) {
				v, known := summarise(s.Rounds, m)
				if optional := m == turn.BrokerCPU || m == turn.Reads || m == turn.Writes; !optional && (!known || v.Median < 0) {
					t.Errorf("%s, %s: %s is %v, %v", w.Name, s.Name, m, v, known)
				}
			}
		}
	}
}

func TestEveryCaseRunsBesideABroker(t *testing.T) {
	r := testRunner(t)
	for _, name := range []string{"publish-async", "consume-16", "retry", "latency"} {
		w, _ := findCase(name)
		c, err := r.playCase(t.Context(), variant{workload: w, QueueType: mainType, Size: mainSize, Count: 100}, 1)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, s := range c.Sides {
			if v, known := summarise(s.Rounds, w.Figure); !known || v.Median <= 0 {
				t.Errorf("%s, %s: %v, %v", name, s.Name, v, known)
			}
		}
	}
}

func TestSidesTakeTurnsInAnotherOrderEachRound(t *testing.T) {
	w, _ := findCase("consume-16")
	var order []string
	r := &runner{progress: func(_ string, args ...any) { order = append(order, args[3].(string)) }}
	if _, err := r.playCase(t.Context(), variant{workload: w, QueueType: mainType, Size: mainSize, Count: 100}, 3); err != nil {
		t.Fatal(err)
	}
	a, b, c := w.Sides[0].Name, w.Sides[1].Name, w.Sides[2].Name
	want := []string{a, b, c, b, c, a, c, a, b}
	if strings.Join(order, ";") != strings.Join(want, ";") {
		t.Errorf("order %q\nwant  %q", order, want)
	}
}

// program returns the program of the tests, which has this program's sides too.
func program(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return self
}

func testRunner(t *testing.T) *runner {
	t.Helper()
	b, err := openBroker(amqptest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.close)
	return &runner{broker: b, progress: func(string, ...any) {}}
}

func TestQueuesAreDeletedAlsoAfterAnErrorOrAnInterrupt(t *testing.T) {
	r := testRunner(t)
	w, _ := findCase("retry")
	v := variant{workload: w, QueueType: mainType, Size: mainSize, Count: 100}
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		name, side string
		ctx        context.Context
		want       func(error) bool
	}{
		{"all is well", w.Sides[0].Name, t.Context(), func(err error) bool { return err == nil }},
		{"no such side", "nobody", t.Context(), func(err error) bool { return err != nil && strings.Contains(err.Error(), `has no side "nobody"`) }},
		{"interrupted", w.Sides[0].Name, interrupted, func(err error) bool { return errors.Is(err, context.Canceled) }},
	} {
		o := r.orderOf(v, side{Name: tt.side})
		names, err := topologyOf(v, o.Queue)
		if err != nil {
			t.Fatal(err)
		}
		amqptest.Cleanup(t, names.Names()...)
		if len(names.Names()) < 4 { // the topology has a retry queue too
			t.Errorf("queues %v", names.Names())
		}
		if _, err := r.playOnBroker(tt.ctx, v, program(t), o); !tt.want(err) {
			t.Errorf("%s: %v", tt.name, err)
		}
		for _, name := range names.Names() {
			if amqptest.Exists(t, name) {
				t.Errorf("%s: %s is still there", tt.name, name)
			}
		}
	}
}

func TestAMessageThatIsLeftOverIsFound(t *testing.T) {
	r := testRunner(t)
	queue := amqptest.Queue(t, "bench-left")
	w, _ := findCase("consume-1")
	top, err := topologyOf(variant{workload: w, QueueType: mainType}, queue)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.broker.declare(top); err != nil {
		t.Fatal(err)
	}
	if err := r.broker.preload(t.Context(), queue, turn.Body(mainSize), 7); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := r.broker.depth(ctx, queue, 7, 0); err != nil {
		t.Error(err)
	}
	cancel() // the test does not wait for the side
	if err := r.broker.depth(ctx, queue, 0, 6); err == nil || !strings.Contains(err.Error(), "7 messages are in the queue") {
		t.Errorf("got %v", err)
	}
}

func TestTheBrokersProcessIsFound(t *testing.T) {
	b := testRunner(t).broker
	if _, err := os.Stat("/proc/net/tcp"); err != nil || os.Getenv("BUNNICULA_BROKER") != "private" {
		t.Skip("the broker is no process of this machine, or this is not Linux")
	}
	if cpu, known := turn.ProcessCPU(b.pids); !known || cpu <= 0 {
		t.Errorf("processes %v have used %v, %v", b.pids, cpu, known)
	}
}

func TestASideThatDiesSaysWhy(t *testing.T) {
	_, err := play(t.Context(), program(t), turn.Order{Case: "nothing", Side: ours})
	if err == nil || !strings.Contains(err.Error(), `there is no case "nothing"`) {
		t.Errorf("got %v", err)
	}
	w, _ := findCase("publish-1")
	_, err = play(t.Context(), program(t), turn.Order{Case: w.Name, Side: w.Sides[1].Name, URL: "amqp://127.0.0.1:1/", Count: 1, Within: 1e9})
	if err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
}
