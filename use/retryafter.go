package use

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxRetryAfter bounds the Retry-After of a response. A server that asks for more is asked again
// after it.
const MaxRetryAfter = 24 * time.Hour

// retryAfter returns how long a response asks to wait (RFC 9110, 10.2.3), and 0 if it does not say.
// A date is compared with the response's own Date, so that the clocks need not agree.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if wait, ok := seconds(text); ok {
		return wait
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	return min(max(at.Sub(now), 0), MaxRetryAfter)
}

// seconds reads a number of seconds. The RFC has whole ones; some servers send decimals.
func seconds(text string) (time.Duration, bool) {
	if text == "" || strings.Trim(text, "0123456789.") != "" {
		return 0, false
	}
	n, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(n, 1) { // more than a float64 holds is more than the bound
		return 0, false
	}
	return time.Duration(min(n, MaxRetryAfter.Seconds()) * float64(time.Second)), true
}
