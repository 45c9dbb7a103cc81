package topology_test

import (
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

func TestADelayIsSpelledWithTheLargestUnitThatDividesIt(t *testing.T) {
	for delay, want := range map[time.Duration]string{
		time.Millisecond:           "1ms",
		500 * time.Millisecond:     "500ms",
		1500 * time.Millisecond:    "1500ms",
		10 * time.Second:           "10s",
		60 * time.Second:           "1m",
		90 * time.Second:           "90s",
		90 * time.Minute:           "90m",
		time.Hour:                  "1h",
		48 * time.Hour:             "48h",
		topology.MaxDelay:          "87600h",
		0:                          "0ms",
		1500 * time.Microsecond:    "1ms",
		-10 * time.Second:          "-10s",
		24*time.Hour + time.Second: "86401s",
	} {
		if got := topology.FormatDelay(delay); got != want {
			t.Errorf("FormatDelay(%v) = %q, want %q", delay, got, want)
		}
	}
}
