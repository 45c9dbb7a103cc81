package main

import (
	"os"
	"strings"
	"testing"
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
		Name: "consume-16/quorum/256", Figure: rate, Sides: []sideResult{
			{ours, []sample{{rate: 3000, clientCPU: 1, allocs: 40}}},
			{rawLoop, []sample{{rate: 2000, clientCPU: 2, allocs: 41}}},
		},
	}}}
	two := one
	two.Machine.Broker = "4.0"
	two.Cases = nil
	text := markdown([]results{one, two})
	for _, want := range []string{
		"3.10 · 4.0",
		"| consume-16/quorum/256 | raw loop, one ack each | 1.50 · – | 3,000 · – msg/s | 2,000 · – msg/s | 0.50 · – | – · – | -1.0 · – |",
		"| consume, concurrency 16 | raw loop, one ack each | ≥ 1.45 | 2.00 | 1.50 · – |",
		"| client CPU for a consumed message | raw loop, one ack each | ≤ 0.75 | 0.40 | 0.50 · – |",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
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
			{oursNothing, []sample{{clientCPU: 1, allocs: 40}, {clientCPU: 3, allocs: 40}}},
			{"use.Rate", []sample{{clientCPU: 4, allocs: 42}, {clientCPU: 1.5, allocs: 42}}},
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
