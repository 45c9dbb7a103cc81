package backoff_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
)

func TestBackoffDoublesItsBoundAndPausesARandomPartOfIt(t *testing.T) {
	longest := make([]time.Duration, 12)
	for range 2000 {
		b := backoff.Backoff{Min: 100 * time.Millisecond, Max: 30 * time.Second}
		for i := range longest {
			pause, bound := b.Next(), min(100*time.Millisecond<<i, 30*time.Second)
			if pause < 10*time.Millisecond || pause > bound {
				t.Fatalf("pause %d is %s, want 10ms to %s", i, pause, bound)
			}
			longest[i] = max(longest[i], pause)
		}
	}
	for i, d := range longest {
		if bound := min(100*time.Millisecond<<i, 30*time.Second); d < bound*9/10 {
			t.Errorf("pause %d is never above %s of %s", i, d, bound)
		}
	}
}

func TestBackoffIsBoundedForEver(t *testing.T) {
	b := backoff.Backoff{Min: time.Hour, Max: 24 * time.Hour}
	for range 1000 {
		if pause := b.Next(); pause < 0 || pause > 24*time.Hour {
			t.Fatalf("pause is %s", pause)
		}
	}
	b.Reset()
	if pause := b.Next(); pause > time.Hour {
		t.Errorf("after Reset the pause is %s", pause)
	}
	if pause := (&backoff.Backoff{}).Next(); pause != 0 {
		t.Errorf("the zero Backoff pauses %s", pause)
	}
}

func TestWaitSaysWhetherItWasTheWholeTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if !backoff.Wait(t.Context(), time.Minute) || time.Since(began) != time.Minute {
			t.Errorf("not the whole minute but %s", time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if backoff.Wait(ctx, time.Minute) || time.Since(began) != time.Minute+time.Second {
			t.Errorf("it did not end with its context, after %s", time.Since(began))
		}
		for _, d := range []time.Duration{0, -time.Second} {
			if !backoff.Wait(t.Context(), d) || backoff.Wait(ctx, d) {
				t.Errorf("%s is not waited for, unless the context has ended", d)
			}
		}
	})
}
