package use_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/use"
)

func TestJitterIsBetweenTheDelayAndAFractionMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64().Draw(t, "d"))
		fraction := rapid.Float64().Draw(t, "fraction")
		got := use.Jitter(d, fraction)
		most := d
		if d > 0 && fraction > 0 {
			most = d + time.Duration(min(float64(math.MaxInt64-d), math.Ceil(min(fraction, 1)*float64(d))))
			if most < d {
				most = math.MaxInt64
			}
		}
		if got < d || got > most {
			t.Fatalf("Jitter(%d, %g) is %d, want %d to %d", d, fraction, got, d, most)
		}
	})
}

func TestBadFractionsOfJitterAreClamped(t *testing.T) {
	for _, fraction := range []float64{0, -1, math.Inf(-1), math.NaN()} {
		if got := use.Jitter(time.Minute, fraction); got != time.Minute {
			t.Errorf("Jitter(1m, %g) is %s, want 1m", fraction, got)
		}
	}
	var highest time.Duration
	for range 1000 {
		highest = max(highest, use.Jitter(time.Minute, math.Inf(1)))
	}
	if highest > 2*time.Minute || highest < 110*time.Second {
		t.Errorf("the highest of 1,000 is %s, want nearly 2m", highest)
	}
	if got := use.Jitter(-time.Second, 0.5); got != -time.Second {
		t.Errorf("a negative delay becomes %s", got)
	}
}
