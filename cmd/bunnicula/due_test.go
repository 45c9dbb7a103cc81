package main

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the zone of these tests, on any machine

	"github.com/spf13/cobra"
)

func berlin(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

func TestTimesAreReadAsPeopleWriteThem(t *testing.T) {
	now := time.Date(2026, 11, 30, 10, 30, 15, 0, berlin(t))
	for text, want := range map[string]string{
		"2026-12-01T09:00:00Z":      "2026-12-01T09:00:00Z",
		"2026-12-01T09:00:00-05:00": "2026-12-01T14:00:00Z",
		"2026-12-01 09:00":          "2026-12-01T08:00:00Z",
		"2026-12-01 9:00:30":        "2026-12-01T08:00:30Z",
		"2026-12-01T09:00":          "2026-12-01T08:00:00Z",
		"2027-07-01 09:00":          "2027-07-01T07:00:00Z", // summer time
		"15:04":                     "2026-11-30T14:04:00Z",
		"15:04:05":                  "2026-11-30T14:04:05Z",
		"9:00":                      "2026-11-30T08:00:00Z", // it has passed, which check says
		"tomorrow 9:00":             "2026-12-01T08:00:00Z",
	} {
		if got, err := parseMoment(text, now); err != nil || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%q is %v, %v, want %s", text, got.UTC(), err, want)
		}
	}
	for _, text := range []string{
		"", "soon", "9", "24:00", "9:5", "2026-12-01", "2026-13-01 09:00", "2026-02-30 09:00", "tomorrow", "today 9:00", "Tomorrow 9:00",
		"tomorrow 2026-12-01 09:00", "09:00Z", "1796003899", "2026-12-01T09:00:00+25:00",
	} {
		if got, err := parseMoment(text, now); err == nil {
			t.Errorf("%q is %v, want an error", text, got)
		}
	}
}

// In the night of 29 March 2026, 02:00 is followed by 03:00.
func TestATimeThatNoClockShowsIsRefused(t *testing.T) {
	now := time.Date(2026, 3, 28, 12, 0, 0, 0, berlin(t))
	for _, text := range []string{"tomorrow 2:30", "2026-03-29 02:30", "2026-03-29T02:00"} {
		if got, err := parseMoment(text, now); err == nil || !strings.Contains(err.Error(), "no clock shows on 2026-03-29 in the time zone Europe/Berlin") {
			t.Errorf("%q is %v, %v, want an error", text, got, err)
		}
	}
	if got, err := parseMoment("tomorrow 3:00", now); err != nil || got.Sub(now) != 14*time.Hour {
		t.Errorf("%v, %v", got, err)
	}
}

func TestWrongDelaysAreSaidByFlagAndValue(t *testing.T) {
	now := time.Date(2026, 11, 30, 10, 30, 15, 0, berlin(t))
	for _, test := range []struct {
		want string
		args []string
	}{
		{`--delay is "soon", want a duration of 0 or more`, []string{"--delay", "soon"}},
		{`--delay is "", want a duration`, []string{"--delay", ""}},
		{`--delay is "-1s", want a duration`, []string{"--delay=-1s"}},
		{`--delay is "90", want a duration`, []string{"--delay", "90"}},
		{`--delay is "3651d", which is more than the longest delay of 3650 days`, []string{"--delay", "3651d"}},
		{`--at is "2036-12-01 09:00", which is more than the longest delay`, []string{"--at", "2036-12-01 09:00"}},
		{`--at is "noon", want a time such as 15:04`, []string{"--at", "noon"}},
		{`--at is "", want a time`, []string{"--at", ""}},
		{`--at is "10:30", and 2026-11-30T10:30:00+01:00 has passed: want a time to come, such as "tomorrow 10:30"`, []string{"--at", "10:30"}},
		{`--at is "2026-11-30T09:30:15Z", and `, []string{"--at", "2026-11-30T09:30:15Z"}},
		{`--delay "90s" and --at "15:04" are given`, []string{"--delay", "90s", "--at", "15:04"}},
		{`--delay is "90s", and --exchange or --key is given`, []string{"--delay", "90s", "--key", "k"}},
		{`--at is "15:04", and --exchange or --key is given`, []string{"--at", "15:04", "--exchange", "e", "--key", "k"}},
	} {
		var o publishOptions
		cmd := &cobra.Command{}
		o.due.addTo(cmd)
		cmd.Flags().StringVar(&o.exchange, "exchange", "", "")
		cmd.Flags().StringVar(&o.key, "key", "", "")
		if err := cmd.ParseFlags(test.args); err != nil {
			t.Fatal(err)
		}
		if err := o.due.check(cmd, now); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %s", test.args, err, test.want)
		}
	}
}

func TestWhenAMessageIsDueIsInMillisecondsAndNotEarlier(t *testing.T) {
	now := time.Date(2026, 11, 30, 10, 30, 15, 1, time.UTC)
	for _, test := range []struct {
		due  due
		want string
	}{
		{due{}, "0001-01-01T00:00:00Z"},
		{due{after: 90 * time.Second}, "2026-11-30T10:31:45.001Z"},
		{due{until: now.Add(time.Hour)}, "2026-11-30T11:30:15.001Z"},
	} {
		if got := test.due.from(now).Format(time.RFC3339Nano); got != test.want {
			t.Errorf("%+v is %s, want %s", test.due, got, test.want)
		}
	}
}
