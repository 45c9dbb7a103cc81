package main

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// drawn is what a chart's SVG has.
type drawn struct {
	lines [][]point
	words []string
}

func parseSVG(t *testing.T, text string) (d drawn) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return d
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		switch x := token.(type) {
		case xml.StartElement:
			if x.Name.Local == "polyline" {
				d.lines = append(d.lines, parsePoints(t, x.Attr[0].Value))
			}
		case xml.CharData:
			d.words = append(d.words, string(x))
		}
	}
}

func parsePoints(t *testing.T, text string) (points []point) {
	t.Helper()
	for pair := range strings.FieldsSeq(text) {
		left, right, _ := strings.Cut(pair, ",")
		x, errX := strconv.ParseFloat(left, 64)
		y, errY := strconv.ParseFloat(right, 64)
		if err := errors.Join(errX, errY); err != nil {
			t.Fatal(err)
		}
		points = append(points, point{x, y})
	}
	return points
}

func TestAChartHasALineForEachAndYBeginsAtZero(t *testing.T) {
	c := chart{Title: "A <title>", Under: "under", X: "minutes", Panels: []panel{
		{Unit: "MiB", Height: 100, Lines: []line{
			{"RSS", []point{{0, 20}, {30, 30}, {60, 40}}},
			{"heap", []point{{0, 0}, {60, 10}}},
		}},
		{Unit: "ms", Height: 80, Dots: true, Lines: []line{{"p99", []point{{0, 1234}, {60, 0}}}}},
	}}
	got := parseSVG(t, c.draw())
	if len(got.lines) != 3 || len(got.lines[0]) != 3 {
		t.Fatalf("lines %v", got.lines)
	}
	rss, heap, late := got.lines[0], got.lines[1], got.lines[2]
	if rss[0].X != chartLeft || rss[2].X != plotWidth-chartRight || rss[1].X != (chartLeft+plotWidth-chartRight)/2 {
		t.Errorf("x %v, want the whole width", rss)
	}
	// 20 MiB are twice as high as 10, and 40 are four times as high.
	floor := heap[0].Y
	if unit := floor - heap[1].Y; unit <= 0 || floor-rss[0].Y != 2*unit || floor-rss[2].Y != 4*unit {
		t.Errorf("heap %v, RSS %v", heap, rss)
	}
	if late[0].Y <= floor {
		t.Errorf("the second panel is at %v, want it below %v", late, floor)
	}
	for _, want := range []string{"A <title>", "under", "minutes", "MiB", "RSS", "heap", "p99", "0", "40", "1,234"} {
		if !slices.Contains(got.words, want) {
			t.Errorf("%q is not in the chart: %q", want, got.words)
		}
	}
}

func TestAChartOfNothingOrOfOnePointIsXMLToo(t *testing.T) {
	for _, c := range []chart{
		{},
		{Panels: []panel{{Height: 50, Lines: []line{{"none", nil}}}}},
		{Panels: []panel{{Height: 50, Lines: []line{{"one", []point{{3, 0}}}}}}},
		{Panels: []panel{{Height: 56, Lines: []line{{"a step above all", []point{{3, 41}, {4, 0}}}}}}},
		(&memoryRun{}).chart(),
	} {
		if text := c.draw(); xml.Unmarshal([]byte(text), new(struct{})) != nil || strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
			t.Errorf("drawn as\n%s", text)
		}
	}
}

func TestStepsAreRoundNumbersWithoutASignOfZero(t *testing.T) {
	for _, tt := range []struct {
		first, last float64
		many        int
		want        []string
	}{
		{0, 40, 6, []string{"0", "10", "20", "30", "40"}},
		{0.17, 60, 6, []string{"10", "20", "30", "40", "50", "60"}},
		{0, 57, 2, []string{"0", "50"}},
		{0, 3900, 4, []string{"0", "1,000", "2,000", "3,000"}},
		{0, 41, 2, []string{"0"}},
		{0, 0.5, 6, []string{"0", "0.1", "0.2", "0.3", "0.4", "0.5"}},
	} {
		var got []string
		for _, s := range stepsOf(tt.first, tt.last, stepSize(tt.last-tt.first, tt.many)) {
			got = append(got, s.Label)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%v to %v: %q, want %q", tt.first, tt.last, got, tt.want)
		}
	}
}

func TestMemoryIsDrawnByMinute(t *testing.T) {
	got := parseSVG(t, lasted(time.Hour, 1).chart().draw())
	if len(got.lines) != 4 || len(got.lines[0]) != 360 {
		t.Errorf("%d lines, the first of %d points, want 4 and 360", len(got.lines), len(got.lines[0]))
	}
	for _, want := range []string{"60", "minutes", "One process at 5,000 messages a second"} {
		if !slices.Contains(got.words, want) {
			t.Errorf("%q is not in the chart: %q", want, got.words)
		}
	}
}

func TestTheValuesOfTwoLinesAreOnBothSidesOfThem(t *testing.T) {
	p := panel{Lines: []line{{"a", []point{{1, 5}, {2, 3}}}, {"b", []point{{1, 4}, {2, 6}}}}}
	for i, l := range p.Lines {
		for j, at := range l.Points {
			if got, want := p.isHighest(at), i == j; got != want {
				t.Errorf("line %s, point %v: highest %v, want %v", l.Name, at, got, want)
			}
		}
	}
}
