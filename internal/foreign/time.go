package foreign

import (
	"strconv"
	"time"
)

// IsTime returns whether RFC 3339 can write a time: it is of the years 1 to 9999 in UTC. AMQP's
// times are 64 bits of seconds, and some producers write milliseconds there, which makes a year
// beyond 50,000. encoding/json refuses such a time. The zero time is a time.
func IsTime(t time.Time) bool {
	year := t.UTC().Year()
	return year >= 1 && year <= 9999
}

// Known returns a time in UTC, or the zero time if it is none by [IsTime].
func Known(t time.Time) time.Time {
	if t.IsZero() || !IsTime(t) {
		return time.Time{}
	}
	return t.UTC()
}

// Stamp writes a time by RFC 3339 in UTC, to the second. One that RFC 3339 cannot write becomes its
// seconds since 1970.
func Stamp(t time.Time) string {
	if !IsTime(t) {
		return strconv.FormatInt(t.Unix(), 10)
	}
	return t.UTC().Format(time.RFC3339)
}

// ParseTime reads a time by RFC 3339 that somebody else has written. Text that is none is the zero
// time.
func ParseTime(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}
	}
	return Known(t)
}
