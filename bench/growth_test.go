package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

// grown returns a run in which several processes shared a queue, and one had several.
func grown() results {
	r := results{When: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Rounds: 3, Machine: machine{Broker: "4.0.5", Load: "1 1 1"}}
	r.Cases = append(r.Cases, made(1).Cases...)
	for i, name := range []string{"processes-1/quorum/256", "processes-16/quorum/256"} {
		at := float64(1000 * (i + 1))
		r.Cases = append(r.Cases, caseResult{Name: name, QueueType: mainType, Figure: turn.Rate, Sides: []sideResult{
			{ours, []turn.Sample{{turn.Rate: 2 * at, turn.ClientCPU: 3.04, turn.BrokerCPU: 6, turn.LeastShare: 0.5, turn.MostShare: 1.25}}},
			{rawLoop, []turn.Sample{{turn.Rate: at, turn.ClientCPU: 5, turn.LeastShare: 1, turn.MostShare: 1}}},
		}})
	}
	r.Cases = append(r.Cases, caseResult{Name: "queues-500/quorum/256", QueueType: mainType, Figure: turn.Memory, Sides: []sideResult{
		{ours, []turn.Sample{{turn.Memory: 12.34, turn.Goroutines: 1500, turn.Startup: 2500, turn.IdleClient: 0.004, turn.IdleBroker: 0.1, turn.BusyClient: 0.25, turn.BusyBroker: 0.6, turn.P99: 8.4, turn.Repeats: 3}}},
	}})
	return r
}

func TestThePageTellsWhatGrows(t *testing.T) {
	text := growthMarkdown([]results{grown()}, []memoryRun{*lasted(time.Hour, 1.5)})
	columns := 0 // of the table
	for line := range strings.Lines(text) {
		n := strings.Count(line, "|")
		if columns > 0 && n > 0 && n != columns {
			t.Errorf("%d columns and %d in %s", columns, n, line)
		}
		columns = n
	}
	for _, want := range []string{
		"RabbitMQ 4.0.5, 2026-01-02",
		"| 500 quorum | bunnicula | 1 | 12.3 | 1,500 | 2.50 | 0.00 | 0.25 | 0.10 | 0.60 | 8 | 3 |\n",
		"| 16 | bunnicula | 1 | 4,000 | – | 3.0 | 6.0 | 0.50 | 1.25 |\n",
		"| 16 | raw loop, one ack each | 1 | 2,000 | 2.00 | 5.0 | – | 1.00 | 1.00 |\n",
		"| 60 | 5,000 | 5.9 | +1.50 | 21.8 | +3.00 | 50 | 3 ms |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
}

func TestTheThroughputOfProcessesIsDrawnByTheirNumber(t *testing.T) {
	r := grown()
	c, measured := processesChart(&r)
	if !measured {
		t.Fatal("nothing was measured")
	}
	got := parseSVG(t, c.draw())
	if len(got.lines) != 2 || len(got.lines[0]) != 2 {
		t.Fatalf("lines %v", got.lines)
	}
	if outer := got.lines[0]; outer[0].X < chartLeft+20 || outer[1].X > plotWidth-chartRight-20 {
		t.Errorf("the points %v have no room for their values", outer)
	}
	for _, want := range []string{"1", "16", "processes", ours, rawLoop, "4,000", "2,000"} {
		if !slices.Contains(got.words, want) {
			t.Errorf("%q is not in the chart: %q", want, got.words)
		}
	}
	if _, measured := processesChart(made(1)); measured {
		t.Error("something was measured")
	}
}
