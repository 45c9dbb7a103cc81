package foreign

import (
	"errors"
	"strconv"
	"strings"
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

// ParseDuration is time.ParseDuration with days, as people write durations: 90s, 2h30m, 3d, 1d12h.
// Days are whole numbers up to 32767, and come first.
func ParseDuration(text string) (time.Duration, error) {
	n, rest, ok := strings.Cut(text, "d")
	if !ok {
		return time.ParseDuration(text)
	}
	days, err := strconv.ParseUint(n, 10, 15)
	if err != nil {
		return 0, err
	}
	d := time.Duration(days) * 24 * time.Hour
	if rest == "" {
		return d, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil {
		return 0, err
	}
	if more < 0 || d+more < d {
		return 0, errors.New("what follows the days is below 0, or too much")
	}
	return d + more, nil
}
