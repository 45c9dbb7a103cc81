package monitoringtest_test

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRecorderPassesConformance(t *testing.T) {
	monitoringtest.Conformance(t, func(*testing.T) monitoring.Monitor { return new(monitoringtest.Recorder) })
}

func TestRecorderRemembersWhatItWasTold(t *testing.T) {
	var rec monitoringtest.Recorder
	d := monitoring.Delivery{Consumer: "orders", Body: []byte("abc"), Headers: map[string]any{"a": 1}}
	parked := monitoring.Outcome{Action: monitoring.Parked, Reason: monitoring.ReasonError}

	ctx := rec.Begin(t.Context(), d)
	rec.End(ctx, d, monitoring.Outcome{Action: monitoring.Acked})
	rec.End(t.Context(), d, parked)
	d.Body[0], d.Headers["a"] = 'x', 2

	want := monitoring.Delivery{Consumer: "orders", Body: []byte("abc"), Headers: map[string]any{"a": 1}}
	if got := rec.Begins(); !reflect.DeepEqual(got, []monitoring.Delivery{want}) {
		t.Errorf("begins are %v; want %v, as it was at the time", got, want)
	}
	ends := rec.Ends()
	if len(ends) != 2 || !reflect.DeepEqual(ends[1], monitoringtest.End{Delivery: want, Outcome: parked}) {
		t.Fatalf("ends are %v; want two, the second parked", ends)
	}
	if !ends[0].Begun || ends[1].Begun {
		t.Errorf("begun is %v and %v; want it of the first End only", ends[0].Begun, ends[1].Begun)
	}
	if got := rec.Outcomes(); len(got) != 2 || got[1] != parked {
		t.Errorf("outcomes are %v; want acked and parked", got)
	}

	rec.Reset()
	if len(rec.Begins())+len(rec.Ends())+len(rec.Outcomes()) != 0 {
		t.Error("something is left after Reset")
	}
}

func TestRecorderSeesAnEndedContext(t *testing.T) {
	var rec monitoringtest.Recorder
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rec.End(ctx, monitoring.Delivery{}, monitoring.Outcome{})
	if got := rec.Ends()[0].CtxErr; !errors.Is(got, context.Canceled) {
		t.Errorf("CtxErr is %v; want %v", got, context.Canceled)
	}
}

func TestWaitReturnsOnceEnoughDeliveriesEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec monitoringtest.Recorder
		waited := make(chan error, 2)
		for _, n := range []int{2, 3} {
			go func() { waited <- rec.Wait(t.Context(), n) }()
		}
		for i := range 3 {
			synctest.Wait()
			if got, want := len(waited), max(0, i-1); got != want {
				t.Fatalf("after %d ends %d have returned; want %d", i, got, want)
			}
			rec.End(t.Context(), monitoring.Delivery{}, monitoring.Outcome{})
		}
		synctest.Wait()
		if err := errors.Join(<-waited, <-waited); err != nil {
			t.Error(err)
		}
		if err := rec.Wait(t.Context(), 3); err != nil {
			t.Errorf("a Wait for what has already happened: %v", err)
		}
	})
}

func TestWaitGivesUpWithItsContext(t *testing.T) {
	var rec monitoringtest.Recorder
	rec.End(t.Context(), monitoring.Delivery{}, monitoring.Outcome{})
	cause := errors.New("test is over")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	err := rec.Wait(ctx, 2)
	if !errors.Is(err, cause) {
		t.Fatalf("Wait: %v; want the context's cause", err)
	}
	if want := "monitoringtest: 1 of 2 deliveries ended: test is over"; err.Error() != want {
		t.Errorf("Wait: %q; want %q", err, want)
	}
}

func TestRecorderCountsEveryEndOfManyGoroutines(t *testing.T) {
	var rec monitoringtest.Recorder
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for range 10 {
				d := monitoring.Delivery{}
				rec.End(rec.Begin(t.Context(), d), d, monitoring.Outcome{})
			}
		})
	}
	if err := rec.Wait(t.Context(), 100); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if b, e := len(rec.Begins()), len(rec.Ends()); b != 100 || e != 100 {
		t.Errorf("%d begins and %d ends; want 100 of each", b, e)
	}
}
