package main

import (
	"os"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

const page = "../docs/PERFORMANCE.md"

func TestThePageSaysWhatTheResultsBesideItSay(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	want, err := renderPage(page, string(text))
	if err != nil {
		t.Fatal(err)
	}
	if want != string(text) {
		t.Error("docs/PERFORMANCE.md is not made of docs/performance: make performance")
	}
}

func TestThePageHasAllRunsSideBySide(t *testing.T) {
	one := results{Machine: machine{Broker: "3.10"}, Cases: []caseResult{{
		Name: "consume-16/quorum/256", Figure: turn.Rate, Sides: []sideResult{
			{ours, []turn.Sample{{turn.Rate: 3000, turn.ClientCPU: 1, turn.Allocs: 40}}},
			{rawLoop, []turn.Sample{{turn.Rate: 2000, turn.ClientCPU: 2, turn.Allocs: 41}}},
		},
	}}}
	two := one
	two.Machine.Broker = "4.0"
	two.Cases = nil
	text := sections[0].markdown([]results{one, two})
	for _, want := range []string{
		"3.10 · 4.0",
		"| consume-16/quorum/256 | raw loop, one ack each | 1.50 · – | 3,000 · – msg/s | 2,000 · – msg/s | 0.50 · – | – · – | -1.0 · – |",
		"| consume, concurrency 16 | raw loop, one ack each | ≥ 1.35 | 1.80 | 1.50 · – |",
		"| client CPU for a consumed message | raw loop, one ack each | ≤ 0.78 | 0.70 | 0.50 · – |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
}

func TestThePageSaysWhichOtherLibraryIsFaster(t *testing.T) {
	rate := func(n float64) []turn.Sample { return []turn.Sample{{turn.Rate: n}} }
	r := results{
		Machine: machine{Broker: "4.3", Libraries: map[string]string{"example.org/a": "v1", "example.org/b": "v2"}},
		Cases: []caseResult{{
			Name: "consume-16/quorum/256", Figure: turn.Rate, Sides: []sideResult{
				{ours, rate(900)}, {rawLoop, rate(1800)}, {turn.WatermillOne, rate(1000)}, {turn.GoRabbitMQ, rate(500)},
			},
		}},
	}
	others := sections[1].markdown([]results{r, r})
	for _, want := range []string{
		"| consume-16/quorum/256 | watermill, 1 subscriber | 0.90 · 0.90 |",
		"| consume-16/quorum/256 | go-rabbitmq | 1.80 · 1.80 |",
		"| consume, concurrency 16 | watermill, 1 subscriber | ≥ 1.50 | 2.00 | 0.90 missed · 0.90 missed |",
		"Faster than this library: watermill, 1 subscriber, consume-16/quorum/256 on 4.3 (0.90); watermill",
		"Measured: `example.org/a` v1, `example.org/b` v2.\n",
	} {
		if !strings.Contains(others, want) {
			t.Errorf("it does not say %q:\n%s", want, others)
		}
	}
	if strings.Contains(others, rawLoop) || strings.Contains(sections[0].markdown([]results{r}), "watermill") {
		t.Error("the raw client and other libraries share a table")
	}
	r.Cases[0].Sides = r.Cases[0].Sides[:1]
	if text := faster([]results{r}); !strings.Contains(text, "Faster than this library: none.") {
		t.Error(text)
	}
}

func TestAPageWithoutItsMarksIsNotTouched(t *testing.T) {
	if _, err := renderPage(page, "no marks"); err == nil {
		t.Error("no error")
	}
}

func TestAPartIsShownBesideTheHandlerWithoutIt(t *testing.T) {
	r := &results{Peer: true, Cases: []caseResult{
		{Name: "consume-16/quorum/256", Sides: []sideResult{{ours, nil}, {rawLoop, nil}}},
		{Name: "parts/quorum/256", Sides: []sideResult{
			{oursNothing, []turn.Sample{{turn.ClientCPU: 1, turn.Allocs: 40}, {turn.ClientCPU: 3, turn.Allocs: 40}}},
			{"use.Rate", []turn.Sample{{turn.ClientCPU: 4, turn.Allocs: 42}, {turn.ClientCPU: 1.5, turn.Allocs: 42}}},
		}},
	}}
	text := markdownParts(r)
	for _, want := range []string{
		"| *bare handler: all that it costs* | *10.0* | | *40.0* |",
		"| use.Rate | +5.0 | 1.50 | +2.0 |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, rawLoop) {
		t.Errorf("it has other cases:\n%s", text)
	}
}
