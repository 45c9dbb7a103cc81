package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/topology"
)

// due is when published messages are to be handled, as --delay and --at say it. The zero due is at
// once.
type due struct {
	delay, at string // the flags

	// Written by check.
	after time.Duration
	until time.Time // in place of after, unless it is zero
}

func (d *due) addTo(cmd *cobra.Command) {
	cmd.Flags().StringVar(&d.delay, "delay", "", "have it handled so much later: 90s, 36h, 2d")
	cmd.Flags().StringVar(&d.at, "at", "", "have it handled at this time and not before: 15:04, \"tomorrow 9:00\",\n\"2026-12-01 09:00\" (local time), or 2026-12-01T09:00:00Z")
}

// check reads the flags at the time now, which is in the local time zone.
func (d *due) check(cmd *cobra.Command, now time.Time) error {
	delay, at := cmd.Flags().Changed("delay"), cmd.Flags().Changed("at")
	flag, value := "--delay", d.delay
	if at {
		flag, value = "--at", d.at
	}
	switch {
	case !delay && !at:
		return nil
	case delay && at:
		return fmt.Errorf("--delay %q and --at %q are given, want one of them", d.delay, d.at)
	case cmd.Flags().Changed("exchange") || cmd.Flags().Changed("key"):
		return fmt.Errorf("%s is %q, and --exchange or --key is given: a delay is for a queue, want its name in their place", flag, value)
	case at:
		return d.readAt(now)
	}
	after, err := foreign.ParseDuration(d.delay)
	if err != nil || after < 0 {
		return fmt.Errorf("--delay is %q, want a duration of 0 or more, such as 90s, 36h or 2d", d.delay)
	}
	d.after = after
	return inReach("--delay", d.delay, after)
}

func (d *due) readAt(now time.Time) error {
	until, err := parseMoment(d.at, now)
	if err != nil {
		return fmt.Errorf("--at is %q, %w", d.at, err)
	}
	if !until.After(now) {
		return fmt.Errorf("--at is %q, and %s has passed: want a time to come, such as \"tomorrow %s\"", d.at, until.Format(time.RFC3339), until.Format("15:04"))
	}
	d.until = until
	return inReach("--at", d.at, until.Sub(now))
}

func inReach(flag, value string, delay time.Duration) error {
	if delay > topology.MaxDelay {
		return fmt.Errorf("%s is %q, which is more than the longest delay of %d days", flag, value, topology.MaxDelay/(24*time.Hour))
	}
	return nil
}

func (d *due) isZero() bool { return d.until.IsZero() && d.after == 0 }

// from returns when messages are due that are published from now on, in milliseconds as their
// headers have it. It is the zero time if they are due at once.
func (d *due) from(now time.Time) time.Time {
	if d.isZero() {
		return time.Time{}
	}
	at := d.until
	if at.IsZero() {
		at = now.Add(d.after)
	}
	return at.Add(time.Millisecond - time.Nanosecond).Truncate(time.Millisecond)
}

var errNoMoment = errors.New("want a time such as 15:04, \"tomorrow 9:00\", \"2026-12-01 09:00\" (local time), or 2026-12-01T09:00:00Z")

// parseMoment reads a time as people write it. One without an offset is of the time zone of now.
func parseMoment(text string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if at, err := time.Parse(layout, text); err == nil {
			return local(at, at, now.Location())
		}
	}
	day := now
	clock, tomorrow := strings.CutPrefix(text, "tomorrow ")
	if tomorrow {
		day = now.AddDate(0, 0, 1)
	}
	for _, layout := range []string{"15:04", "15:04:05"} {
		if at, err := time.Parse(layout, clock); err == nil {
			return local(day, at, now.Location())
		}
	}
	return time.Time{}, errNoMoment
}

// local returns the time of a day at which the clocks of a zone show a time. It is an error if they
// are put forward over it.
func local(day, clock time.Time, zone *time.Location) (time.Time, error) {
	at := time.Date(day.Year(), day.Month(), day.Day(), clock.Hour(), clock.Minute(), clock.Second(), clock.Nanosecond(), zone)
	if at.Hour() != clock.Hour() || at.Minute() != clock.Minute() {
		return at, fmt.Errorf("which no clock shows on %s in the time zone %s, want another time", day.Format(time.DateOnly), zone)
	}
	return at, nil
}
