package topology

import (
	"fmt"
	"strconv"
	"time"
)

// MaxDelay is the longest delay, ten years of 365 days. Brokers refuse a queue with a longer TTL
// (406, value_too_large: measured on RabbitMQ 3.10 and 4.0), and a message with a longer
// expiration.
const MaxDelay = 10 * 365 * 24 * time.Hour

// delayUnits are in the order in which FormatDelay tries them: the largest first.
var delayUnits = []struct {
	suffix string
	unit   time.Duration
}{
	{"h", time.Hour},
	{"m", time.Minute},
	{"s", time.Second},
	{"ms", time.Millisecond},
}

// FormatDelay writes a delay for a queue's name: a whole number of the largest unit, out of h, m, s
// and ms, that divides it. So 90 seconds are "90s" and 60 are "1m"; 1500 milliseconds are "1500ms";
// two days are "48h". Each delay has one spelling, so two delays share a queue only if they are
// equal.
//
// Fractions of a millisecond are cut off; [New] refuses such delays.
func FormatDelay(delay time.Duration) string {
	for _, u := range delayUnits {
		if delay != 0 && delay%u.unit == 0 {
			return strconv.FormatInt(int64(delay/u.unit), 10) + u.suffix
		}
	}
	return strconv.FormatInt(delay.Milliseconds(), 10) + "ms"
}

// checkDelay returns what is wrong with a delay.
func checkDelay(delay time.Duration) error {
	switch {
	case delay <= 0:
		return fmt.Errorf("%v is not above zero", delay)
	case delay%time.Millisecond != 0:
		return fmt.Errorf("%v is not a whole number of milliseconds, the broker's unit", delay)
	case delay > MaxDelay:
		return fmt.Errorf("%v is above %v, the longest that a broker takes", delay, MaxDelay)
	}
	return nil
}
