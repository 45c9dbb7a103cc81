package main

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestATableShowsNamesThatATerminalDoesNotObey(t *testing.T) {
	table := table{heads: []string{"QUEUE", "NOTE"}}
	table.add("a\x1b[2J\xff", "b\r\nc")
	table.under("d\x07")
	var out strings.Builder
	table.print(&out, 0)
	if want := "QUEUE   NOTE\na·[2J\uFFFD  b  c\n    d·\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
	if got := fold("a\x1b[2J b\x00", "  "); got != "  a·[2J b·" {
		t.Errorf("folded to %q", got)
	}
}

func TestAnAgeOfCenturiesIsRight(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	for seconds, want := range map[int64]string{
		1_800_000_000 - 90: "1m30s", 1_800_000_001: "0s", -62_000_000_000: "738425d22h", milliseconds: "", math.MinInt64: "", math.MaxInt64: "",
	} {
		if got := age(now, known(time.Unix(seconds, 0))); got != want {
			t.Errorf("%d is %q old, want %q", seconds, got, want)
		}
	}
	for seconds, want := range map[int64]string{0: "1970-01-01 00:00:00Z", milliseconds: "1800000000000 seconds after 1970"} {
		if got := moment(time.Unix(seconds, 0)); got != want {
			t.Errorf("%d is shown as %q, want %q", seconds, got, want)
		}
	}
}

func TestABodyIsShownInItsFirst64KiB(t *testing.T) {
	large := strings.Repeat("é", 1<<20)
	deep := strings.Repeat("[", 5000) + strings.Repeat("]", 5000)
	for body, end := range map[string]string{
		"": "(empty)", `{"a":1}`: "  \"a\": 1\n}", "text\x1b": "text·", large: fmt.Sprintf("… and %d bytes more (--json has them all)", len(large)-maxText),
		"\xff" + large: fmt.Sprintf("... and %d bytes more (--json has them all)", 1+len(large)-4<<10), deep: "]]]",
	} {
		text := bodyText([]byte(body), false)
		if end = strings.Replace(end, "… and", "…\n... and", 1); !strings.HasSuffix(text, end) || len(text) > 5*maxText || !utf8.ValidString(text) {
			t.Errorf("a body of %d bytes is %d bytes of text that end with %.80q, want %q", len(body), len(text), text[max(0, len(text)-80):], end)
		}
	}
}

func TestADeeplyNestedBodyCostsNoMemory(t *testing.T) {
	body := []byte(strings.Repeat("[", 9990) + strings.Repeat("]", 9990))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	text := bodyText(body, false)
	runtime.ReadMemStats(&after)
	if made := (after.TotalAlloc - before.TotalAlloc) >> 20; text != string(body) || made > 8 {
		t.Errorf("%d bytes took %d MiB: %.80s", len(body), made, text)
	}
}
