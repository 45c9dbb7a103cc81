package inspect

import (
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

func TestOnlyTheOneSpellingOfADelayIsParsed(t *testing.T) {
	for _, s := range []string{
		"", "s", "10", "60s", "1000ms", "60m", "010s", "+10s", "-10s", "0s", "0ms", "1m30s", "1.5s", "10 s", "10S",
		"1d", "315360000001ms", "87601h", "99999999999999999999h", "9223372036854775807h",
	} {
		if got, err := ParseDelay(s); err == nil {
			t.Errorf("ParseDelay(%q) = %v, want an error", s, got)
		}
	}
}

func FuzzTheSpellingOfADelayIsParsedBackToIt(f *testing.F) {
	for _, ms := range []int64{1, 500, 1500, 10_000, 60_000, 90_000, 3_600_000, 315_360_000_000} {
		f.Add(ms)
	}
	f.Fuzz(func(t *testing.T, ms int64) {
		ms = 1 + int64(uint64(ms)%uint64(topology.MaxDelay.Milliseconds()))
		delay := time.Duration(ms) * time.Millisecond
		got, err := ParseDelay(topology.FormatDelay(delay))
		if err != nil || got != delay {
			t.Errorf("ParseDelay(%q) = %v, %v, want %v", topology.FormatDelay(delay), got, err, delay)
		}
	})
}

func FuzzWhatIsParsedAsADelayIsSpelledTheSame(f *testing.F) {
	for _, s := range []string{"1ms", "10s", "90s", "60s", "1h", "0h", "ms", "1m30s", "010s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		delay, err := ParseDelay(s)
		if err != nil {
			return
		}
		if got := topology.FormatDelay(delay); got != s {
			t.Errorf("%q is parsed as %v, which is spelled %q", s, delay, got)
		}
		if _, err := topology.New(topology.Plan{Queue: "q", Delays: []time.Duration{delay}}); err != nil {
			t.Errorf("%q is parsed, but: %v", s, err)
		}
	})
}
