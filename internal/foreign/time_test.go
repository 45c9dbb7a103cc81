package foreign

import (
	"encoding/json"
	"math"
	"testing"
	"time"
)

func TestATimeOutOfRangeIsANumber(t *testing.T) {
	for seconds, want := range map[int64]string{
		0: "1970-01-01T00:00:00Z", 1_800_000_000: "2027-01-15T08:00:00Z", -1: "1969-12-31T23:59:59Z",
		253_402_300_799: "9999-12-31T23:59:59Z", 253_402_300_800: "253402300800", 1_800_000_000_000: "1800000000000",
		math.MaxInt64: "9223372036854775807", math.MinInt64: "-9223372036854775808", -62_135_596_801: "-62135596801",
	} {
		at := time.Unix(seconds, 0)
		if got := Stamp(at); got != want {
			t.Errorf("%d is written as %s, want %s", seconds, got, want)
		}
		known := Known(at)
		if known.IsZero() != (want[len(want)-1] != 'Z') || !known.IsZero() && known.Unix() != seconds {
			t.Errorf("%d is known as %v", seconds, known)
		}
		if _, err := json.Marshal(known); err != nil {
			t.Errorf("%d: %v", seconds, err)
		}
	}
}

func TestATimeThatAStrangerWroteCanBeWritten(t *testing.T) {
	for text, want := range map[string]string{
		"2026-11-01T10:00:00.5+02:00": "2026-11-01T08:00:00Z", "9999-12-31T23:59:59Z": "9999-12-31T23:59:59Z",
		"": "", "soon": "", "0000-01-01T00:00:00Z": "", "9999-12-31T23:59:59-05:00": "", "58840-01-01T00:00:00Z": "",
		"2026-01-02T00:00:00+24:00": "2026-01-01T00:00:00Z", // encoding/json refuses such an offset
	} {
		got := ParseTime(text)
		if text := Stamp(got); got.IsZero() != (want == "") || want != "" && text != want {
			t.Errorf("%q is %v, want %s", text, got, want)
		}
		if _, err := json.Marshal(got); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestDurationsArePartlyDays(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "3d": 72 * time.Hour, "1d12h": 36 * time.Hour, "0d": 0, "0s": 0, "-1s": -time.Second, "32767d": 32767 * 24 * time.Hour,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%q is %s, %v, want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "-1d", "1.5d", "1d2", "1d-1h", "1d1d", "1 d", "1h1d", "32768d", "32767d2562047h"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q is %s, want an error", text, got)
		}
	}
}
