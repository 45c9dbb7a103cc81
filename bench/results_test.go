package main

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/bench/turn"
	"github.com/bunnicula-go/bunnicula/topology"
)

// made returns a run in which this library was so many times as fast as the raw loop.
func made(times float64) *results {
	return &results{
		When: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Rounds: 3, Machine: machine{Cores: 2, System: "linux/amd64", Go: "go1.26", Client: "v1", Broker: "4.0.5"},
		Cases: []caseResult{
			{
				Name: "consume-16/quorum/256", Work: "a <handler> & more", Messages: 50000, Figure: turn.Rate, Columns: work,
				Sides: []sideResult{
					{ours, []turn.Sample{{turn.Rate: 1000 * times, turn.ClientCPU: 1, turn.Allocs: 47}, {turn.Rate: 1200 * times, turn.ClientCPU: 1, turn.Allocs: 48}, {turn.Rate: 900 * times, turn.ClientCPU: 1, turn.Allocs: 47}}},
					{rawLoop, []turn.Sample{{turn.Rate: 1000, turn.ClientCPU: 2, turn.Allocs: 45}, {turn.Rate: 1200, turn.ClientCPU: 2, turn.Allocs: 45}, {turn.Rate: 900, turn.ClientCPU: 2, turn.Allocs: 45}}},
				},
			},
			{
				Name: "latency/quorum/256", Work: "from publish to handler", Messages: 5000, Figure: turn.P99, Columns: []turn.Metric{turn.P50},
				Sides: []sideResult{{ours, rounds(turn.P99, 2, 2, 2)}, {rawLoop, rounds(turn.P99, 4, 4, 4)}},
			},
			{
				Name: "many-200/quorum/256", Work: "idle", Figure: turn.Memory, Columns: []turn.Metric{turn.Goroutines},
				Sides: []sideResult{{ours, rounds(turn.Memory, 4, 4, 4)}},
			},
		},
	}
}

func TestTheTableHoldsFiguresRatiosAndBlanks(t *testing.T) {
	var out strings.Builder
	r := made(1.5)
	printHead(&out, r)
	for _, c := range r.Cases {
		printCase(&out, c)
	}
	for _, want := range []string{
		"RabbitMQ 4.0.5", "50,000 messages",
		"  bunnicula                            1,500   1,350   1,800                  1.00      -      -      -   47.0        -\n",
		"  raw loop, one ack each               1,000     900   1,200   1.50    1.50   2.00      -      -      -   45.0        -\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	for line := range strings.Lines(out.String()) {
		if !strings.Contains(line, ": rounds ") && len(line) > 121 {
			t.Errorf("%d columns: %s", len(line)-1, line)
		}
	}
}

func TestThousandsAreApart(t *testing.T) {
	for _, tt := range []struct {
		value    float64
		decimals int
		want     string
	}{{0, 0, "0"}, {999, 0, "999"}, {1000, 0, "1,000"}, {1234567.891, 2, "1,234,567.89"}, {-12345, 0, "-12,345"}, {0.005, 1, "0.0"}} {
		if got := number(tt.value, tt.decimals); got != tt.want {
			t.Errorf("%v is %s, want %s", tt.value, got, tt.want)
		}
	}
}

func TestThePlotIsXMLAndHasABarForEachRatio(t *testing.T) {
	text := plot(made(1.5))
	decoder := xml.NewDecoder(strings.NewReader(text))
	rectangles, words := 0, ""
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		switch x := token.(type) {
		case xml.StartElement:
			if x.Name.Local == "rect" {
				rectangles++
			}
		case xml.CharData:
			words += string(x) + "\n"
		}
	}
	if rectangles != 3 { // the background and two bars
		t.Errorf("%d rectangles, want 3", rectangles)
	}
	// Half the latency is twice as good.
	for _, want := range []string{"consume-16/quorum/256", rawLoop, "1.50", "latency/quorum/256 (p99)", "2.00", "RabbitMQ 4.0.5"} {
		if !strings.Contains(words, want+"\n") && !strings.Contains(words, want) {
			t.Errorf("%q is not in the plot", want)
		}
	}
}

func TestNoLabelOfThePlotMeetsAnother(t *testing.T) {
	const letter = 6.7 // pixels, the average of the widest usual fonts
	var s selection
	s.types, s.sizes, s.long = []topology.QueueType{topology.Quorum, topology.Classic}, []int{mainSize, 262144}, true
	for _, v := range s.variants() {
		c := caseResult{Name: v.Name(), Figure: v.Figure}
		for _, side := range v.Sides {
			c.Sides = append(c.Sides, sideResult{side.Name, rounds(v.Figure, 1)})
		}
		for _, b := range bars(&results{Cases: []caseResult{c}}) {
			if left, right := 12+letter*float64(len(b.Label)), plotLabels-10-letter*float64(len(b.Beside)); left > right {
				t.Errorf("%s ends at %.0f, and %s begins at %.0f", b.Label, left, b.Beside, right)
			}
		}
	}
}

func TestAPlotOfNothingIsXMLToo(t *testing.T) {
	if err := xml.Unmarshal([]byte(plot(&results{})), new(struct{})); err != nil {
		t.Error(err)
	}
}

func TestResultsAreReadAsTheyWereWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	want := made(1.5)
	if err := want.write(dir); err != nil {
		t.Fatal(err)
	}
	got, err := readResults(filepath.Join(dir, resultsFile))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(&got, want) {
		t.Errorf("got %+v\nwant %+v", got, *want)
	}
	if _, err := os.Stat(filepath.Join(dir, plotFile)); err != nil {
		t.Error(err)
	}
	if err := keepPrevious(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := readResults(filepath.Join(dir, previousFile)); err != nil {
		t.Error(err)
	}
	if err := keepPrevious(dir); err != nil { // there is nothing left to rename
		t.Error(err)
	}
}

func TestAComparisonTellsTheChangeOfFiguresAndRatios(t *testing.T) {
	all := compareCase(made(1).Cases[0], made(1.5).Cases[0])
	want := []change{
		{"consume-16/quorum/256: messages a second", 1000, 1500, 0},
		{"  messages a second, ratio to " + rawLoop, 1, 1.5, 2},
		{"  client CPU, ratio to " + rawLoop, 0.5, 0.5, 2},
	}
	if !reflect.DeepEqual(all, want) {
		t.Fatalf("got %+v\nwant %+v", all, want)
	}
	if got := all[0].Change(); got != 50 {
		t.Errorf("change %v, want 50 percent", got)
	}
	var out strings.Builder
	old := made(1)
	old.Cases = old.Cases[:1]
	old.Machine.Broker = "3.10.8"
	printComparison(&out, old, made(1.5))
	for _, want := range []string{"50.0%", "latency/quorum/256: not measured before", "look at the ratios only"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}
