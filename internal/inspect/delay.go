package inspect

import (
	"fmt"
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

// ParseDelay is the inverse of topology.FormatDelay. It accepts no other spelling ("60s", "1m30s",
// "010s") and no delay that topology.New would refuse.
func ParseDelay(s string) (time.Duration, error) {
	delay, err := time.ParseDuration(s)
	if err != nil || CheckDelay(delay) != nil || topology.FormatDelay(delay) != s {
		return 0, fmt.Errorf("%q is not a delay as it is spelled in names, such as 500ms, 10s, 90s or 1h", s)
	}
	return delay, nil
}

// CheckDelay returns what is wrong with the delay of a retry queue.
func CheckDelay(delay time.Duration) error {
	_, err := topology.New(topology.Plan{Queue: "q", Delays: []time.Duration{delay}})
	return err
}
