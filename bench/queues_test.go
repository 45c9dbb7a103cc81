package main

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestSeveralQueuesHaveNamesOfTheirOwn(t *testing.T) {
	if got := (order{Queue: "bench-x"}).queues(); !slices.Equal(got, []string{"bench-x"}) {
		t.Errorf("got %v", got)
	}
	if got := (order{Queue: "bench-x", Queues: 2}).queues(); !slices.Equal(got, []string{"bench-x-0", "bench-x-1"}) {
		t.Errorf("got %v", got)
	}
}

func TestCPUInCoresIsThatOfASecond(t *testing.T) {
	got := coresOf(sample{rate: 2000, clientCPU: 10, brokerCPU: 25}, busyClient, busyBroker)
	if got[busyClient] != 0.2 || got[busyBroker] != 0.5 {
		t.Errorf("got %v, want 0.2 and 0.5", got)
	}
	if _, known := coresOf(sample{rate: 1, clientCPU: 1}, idleClient, idleBroker)[idleBroker]; known {
		t.Error("the CPU of an unknown broker is known")
	}
}

func TestSeveralQueuesAreLoadedAndDeletedAfterwards(t *testing.T) {
	r := testRunner(t)
	w, _ := findCase("queues-10")
	for _, s := range w.Sides {
		v := variant{workload: w, QueueType: mainType, Size: mainSize, Count: 500}
		o := r.orderOf(v, s)
		one, err := r.playOnBroker(t.Context(), v, o)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range append([]metric{w.Figure}, w.Columns...) {
			if optional := m == idleBroker || m == busyBroker; !optional && one[m] < 0 {
				t.Errorf("%s: %s is %v", s.Name, m, one[m])
			}
		}
		if one[busyClient] <= 0 || one[p99] <= 0 || one[startup] <= 0 || one[goroutines] < 10 {
			t.Errorf("%s: %v", s.Name, one)
		}
		for _, queue := range o.queues() {
			if amqptest.Exists(t, queue) {
				t.Errorf("%s is still there", queue)
			}
		}
	}
}

func TestAMessageThatArrivesTwiceIsCountedAndMeasuredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStopwatch(&run{order: order{Size: mainSize}, meter: newMeter(0, 2, nil)})
		s.run.meter.start()
		first, second := s.stamp(0), s.stamp(1)
		time.Sleep(4 * time.Millisecond)
		for _, body := range [][]byte{first, first, second, second} {
			if err := s.read(body); err != nil {
				t.Error(err)
			}
		}
		if err := s.run.meter.wait(t.Context()); err != nil {
			t.Error(err)
		}
		if s.again.Load() != 2 || !slices.Equal(s.times, []float64{4, 4}) {
			t.Errorf("again %d, times %v", s.again.Load(), s.times)
		}
		for _, bad := range [][]byte{nil, s.stamp(2)} {
			if err := s.read(bad); err == nil {
				t.Errorf("%v is no message of this run", bad)
			}
		}
	})
}
