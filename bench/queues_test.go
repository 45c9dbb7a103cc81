package main

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/bench/turn"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestCPUInCoresIsThatOfASecond(t *testing.T) {
	got := coresOf(turn.Sample{turn.Rate: 2000, turn.ClientCPU: 10, turn.BrokerCPU: 25}, turn.BusyClient, turn.BusyBroker)
	if got[turn.BusyClient] != 0.2 || got[turn.BusyBroker] != 0.5 {
		t.Errorf("got %v, want 0.2 and 0.5", got)
	}
	if _, known := coresOf(turn.Sample{turn.Rate: 1, turn.ClientCPU: 1}, turn.IdleClient, turn.IdleBroker)[turn.IdleBroker]; known {
		t.Error("the CPU of an unknown broker is known")
	}
}

func TestSeveralQueuesAreLoadedAndDeletedAfterwards(t *testing.T) {
	r := testRunner(t)
	w, _ := findCase("queues-10")
	for _, s := range w.Sides {
		v := variant{workload: w, QueueType: mainType, Size: mainSize, Count: 500}
		o := r.orderOf(v, s)
		one, err := r.playOnBroker(t.Context(), v, program(t), o)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range append([]turn.Metric{w.Figure}, w.Columns...) {
			if optional := m == turn.IdleBroker || m == turn.BusyBroker; !optional && one[m] < 0 {
				t.Errorf("%s: %s is %v", s.Name, m, one[m])
			}
		}
		if one[turn.BusyClient] <= 0 || one[turn.P99] <= 0 || one[turn.Startup] <= 0 || one[turn.Goroutines] < 10 {
			t.Errorf("%s: %v", s.Name, one)
		}
		for _, queue := range o.QueueNames() {
			if amqptest.Exists(t, queue) {
				t.Errorf("%s is still there", queue)
			}
		}
	}
}

func TestAMessageThatArrivesTwiceIsCountedAndMeasuredOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStopwatch(&run{&turn.Run{Order: turn.Order{Size: mainSize}, Meter: turn.NewMeter(0, 2, nil)}})
		s.run.Meter.Start()
		first, second := s.stamp(0), s.stamp(1)
		time.Sleep(4 * time.Millisecond)
		for _, body := range [][]byte{first, first, second, second} {
			if err := s.read(body); err != nil {
				t.Error(err)
			}
		}
		if err := s.run.Meter.Wait(t.Context()); err != nil {
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
