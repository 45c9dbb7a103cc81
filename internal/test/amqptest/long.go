package amqptest

import (
	"testing"
	"time"
)

// Long skips a test that takes long, because it waits or because it repeats, unless all tests run:
// make test-all.
func Long(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes long, and runs with make test-all (go test without -short)")
	}
}

// Raced says whether the race detector is on, which makes everything several times as slow.
func Raced() bool { return raceOverhead > 1 }

// BelowASecond runs a test, which must take less than a second. A busy machine may be late, so the
// quickest of three runs counts. Under the race detector it takes as long as it does.
func BelowASecond(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	quickest := time.Hour
	for range 3 {
		began := time.Now()
		t.Run("whole", test)
		if quickest = min(quickest, time.Since(began)); quickest < time.Second || t.Failed() || Raced() {
			return
		}
	}
	t.Errorf("it took %s", quickest)
}
