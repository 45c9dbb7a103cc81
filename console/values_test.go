package console

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/console/internal/snapshot"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

func TestACommandLineIsQuotedForAShell(t *testing.T) {
	for want, args := range map[string][]string{
		"bunnicula status":                        {"status"},
		"bunnicula errors ls q 'error~\"a b\"'":   {"errors", "ls", "q", `error~"a b"`},
		`bunnicula errors groups 'it'\''s $HOME'`: {"errors", "groups", "it's $HOME"},
		"bunnicula errors groups ''":              {"errors", "groups", ""},
		"":                                        {"errors", "groups", "a\nrm -rf /"},
	} {
		if got := commandLine(args...); got != want {
			t.Errorf("%q: %q, want %q", args, got, want)
		}
	}
}

func TestAFilterBecomesArgumentsThatMeanTheSame(t *testing.T) {
	for _, filter := range []string{"reason=timeout,panic older=2h", `error~"a \"quoted\" = b" header.x=1`, `id="a b","c,d" body.user.id=42`, ""} {
		f, err := errorqueue.ParseFilter(filter)
		if err != nil {
			t.Fatal(err)
		}
		again, err := errorqueue.ParseTerms(words(f)...)
		if err != nil || again.String() != f.String() {
			t.Errorf("%s: %q, %v", filter, words(f), err)
		}
	}
}

func TestATimelineHasEachMessageInOneBar(t *testing.T) {
	at := time.Unix(1e9, 0).UTC().Truncate(time.Minute)
	line := snapshot.Timeline{Step: time.Minute, Undated: 2}
	total := 0
	for i := range 1000 {
		line.Points = append(line.Points, snapshot.Point{At: at.Add(time.Duration(i/3) * time.Minute), Version: fmt.Sprintf("1.%d", i%9), Count: i%5 + 1})
		total += i%5 + 1
	}
	d := chart(view{zone: time.UTC, now: at}, line, line)
	if len(d.Bars) > chartBars || len(d.Versions) != chartVersions || d.Undated != 2 {
		t.Errorf("%d bars, %d versions, %d undated", len(d.Bars), len(d.Versions), d.Undated)
	}
	bars, versions := 0, 0
	for _, b := range d.Bars {
		parts := 0
		for _, n := range b.Parts {
			parts += n
		}
		if bars += b.Count; parts != b.Count || b.Count > d.Most {
			t.Errorf("a bar of %d has parts of %d; the highest has %d", b.Count, parts, d.Most)
		}
	}
	for _, v := range d.Versions {
		versions += v.Count
	}
	if bars != total || versions != total || d.Versions[chartVersions-1].Name != "others" {
		t.Errorf("bars have %d and versions %d, want %d; the last is %q", bars, versions, total, d.Versions[chartVersions-1].Name)
	}
	if empty := chart(view{}, snapshot.Timeline{}, line); len(empty.Bars) != 0 || empty.SVG() != "" {
		t.Error("no messages make a picture")
	}
}

func TestAVersionHasOneColourOnAllPages(t *testing.T) {
	at := time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)
	all := snapshot.Timeline{Step: time.Minute, Points: []snapshot.Point{
		{At: at, Version: "1.41.0", Count: 3}, {At: at.Add(time.Minute), Version: "1.42.0", Count: 9},
	}}
	one := snapshot.Timeline{Step: time.Minute, Points: all.Points[1:]}
	for name, d := range map[string]timelineData{"the queue": chart(view{zone: time.UTC}, all, all), "one kind": chart(view{zone: time.UTC}, one, all)} {
		last := d.Versions[len(d.Versions)-1]
		if last.Name != "1.42.0" || last.Class != 1 || !strings.Contains(string(d.SVG()), `class="v1"`) {
			t.Errorf("%s: %+v\n%s", name, last, d.SVG())
		}
	}
}

func TestABodyIsShownInPagesAndLosesNothing(t *testing.T) {
	long := strings.Repeat("0123456789abcde\n", 10_000)
	var all strings.Builder
	for page := 1; page <= 3; page++ {
		text, as, pages := render([]byte(long), "", page)
		if as != "text" || pages != 3 {
			t.Fatalf("%s, %d pages", as, pages)
		}
		all.WriteString(text)
	}
	if all.String() != long {
		t.Errorf("the pages have %d bytes, want %d", all.Len(), len(long))
	}
	if text, as, _ := render([]byte(`{"n":9007199254740993}`), "", 99); as != "json" || text != "{\n  \"n\": 9007199254740993\n}" {
		t.Errorf("%s: %s", as, text)
	}
	if text, as, _ := render([]byte("\xff\x00"), "json", 0); as != "hex" || !strings.HasPrefix(text, "00000000  ff 00") {
		t.Errorf("%s: %s", as, text)
	}
	if _, as, _ := render([]byte(strings.Repeat("[", 40_000)+strings.Repeat("]", 40_000)), "", 1); as != "text" {
		t.Errorf("deep brackets are shown as %s", as)
	}
	if _, as, pages := render(nil, "", 1); as != "text" || pages != 1 {
		t.Errorf("nothing is shown as %s, %d pages", as, pages)
	}
}

func TestErrorQueuesAreThoseOfTheFileOrHaveTheUsualNames(t *testing.T) {
	top, err := topology.New(topology.Plan{Queue: "refunds", ErrorQueue: "failed"})
	if err != nil {
		t.Fatal(err)
	}
	file := topologyfile.File{Consumers: []topologyfile.Consumer{{Topology: top}}}
	for name, want := range map[string][3]string{ // the error queue, its main queue, or another page
		"failed":         {"failed", "refunds", ""},
		"refunds":        {"failed", "refunds", "failed"},
		"orders-error":   {"orders-error", "", ""},
		"orders-archive": {"orders-archive", "orders", ""},
		"orders":         {"", "orders", "orders-error"},
	} {
		cfg, other := errorQueueOf(file, name)
		if got := [3]string{cfg.ErrorQueue, cfg.Queue, other}; got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestRatesAreThoseOfTheManagementAPI(t *testing.T) {
	var q management.Queue
	if q.Stats.In() != nil || q.Stats.Out() != nil {
		t.Error("rates without an API")
	}
	text := `{"name": "q", "message_stats": {"publish_details": {"rate": 2.5}, "ack_details": {"rate": 0.0}}}`
	if err := json.Unmarshal([]byte(text), &q); err != nil {
		t.Fatal(err)
	}
	if in, out := q.Stats.In(), q.Stats.Out(); in == nil || *in != 2.5 || out == nil || *out != 0 {
		t.Errorf("in %v, out %v", in, out)
	}
}

func TestATimeIsShownWithItsAgeAndZone(t *testing.T) {
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	v := view{zone: time.FixedZone("CET", 3600), now: now}
	for d, want := range map[time.Duration]string{0: "now", 5 * time.Second: "5s", 90 * time.Second: "1m", 119 * time.Minute: "119m", 47 * time.Hour: "47h", 72 * time.Hour: "3d", -time.Hour: "in 60m"} {
		if got := v.Time(now.Add(-d)).Age; got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
	if m := v.Time(now); m.Exact != "2026-03-04 13:00:00 CET" || m.ISO != "2026-03-04T12:00:00Z" || m.Short != "13:00:00" {
		t.Errorf("%+v", m)
	}
	if v.Time(time.Time{}).Known || v.Time(time.Unix(1<<50, 0)).Known {
		t.Error("no time is shown as one")
	}
}

func TestLengthsAreDrawnByTheirHighest(t *testing.T) {
	for want, all := range map[string][]int{"▁▄█": {0, 5, 9}, "": {0, 0}, "▁█▁": {0, 1, 0}} {
		if got := blocks(all); got != want {
			t.Errorf("%d: %q, want %q", all, got, want)
		}
	}
	if got := blocks(slices.Repeat([]int{1}, 100)); got != strings.Repeat("█", 16) {
		t.Errorf("a hundred are %q", got)
	}
}
