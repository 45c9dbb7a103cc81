package main

import (
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

var update = flag.Bool("update", false, "rewrite testdata/gate.json with what is measured")

const (
	gateFile   = "testdata/gate.json"
	gateRounds = 9
	gateCount  = 10_000
	gateTries  = 6
)

// The allowed factors over the kept figures. Allocations are the same on every machine. How the
// CPU of two programs compares depends on what a system call costs there, and on how often one
// wakes before the other: the same code measured 0.77 to 1.0 for publish-16, on machines of one
// kind.
const (
	allocationSlack = 1.03
	cpuSlack        = 1.25
)

// gated are the cases with kept figures. The first side is compared with the second.
var gated = []struct{ Case, Beside string }{
	{"consume-16", rawLoop},
	{"publish-16", rawCallers(16)},
	{"publish-async", rawPipelined},
	{"retry", rawRetry},
}

// gate holds the kept, or the measured, figures of one case.
type gate struct {
	Allocations float64 // of this library, for one message
	ClientCPU   float64 // of this library, as a ratio to the raw client in the same round
}

// TestGate fails when a message costs this library more than when testdata/gate.json was written.
// It needs no broker and measures no wall time: a busy machine makes everything slower, but the
// work stays the same.
func TestGate(t *testing.T) {
	switch {
	case raceDetector:
		t.Skip("the race detector allocates by itself: make bench-gate runs this without it")
	case testing.Short():
		t.Skip("-short")
	}
	// Each process has one core. Otherwise the cost of goroutines that look for work on another
	// core would depend on the load of that core.
	t.Setenv("GOMAXPROCS", "1")
	kept := readGate(t)
	now := map[string]gate{}
	for _, c := range gated {
		got := measureGate(t, c.Case, c.Beside)
		if *update {
			got = got.worst(measureGate(t, c.Case, c.Beside)).worst(measureGate(t, c.Case, c.Beside))
		}
		for tries := 1; !*update && !got.passes(kept[c.Case]) && tries < gateTries; tries++ {
			t.Logf("%s: %+v, kept is %+v: once more", c.Case, got, kept[c.Case])
			got = got.best(measureGate(t, c.Case, c.Beside))
		}
		now[c.Case] = got
		t.Logf("%-14s %5.1f allocations a message (kept %5.1f), %.2f of the raw client's CPU (kept %.2f)",
			c.Case, got.Allocations, kept[c.Case].Allocations, got.ClientCPU, kept[c.Case].ClientCPU)
		if *update {
			continue
		}
		if got.Allocations > kept[c.Case].Allocations*allocationSlack {
			t.Errorf("%s: %.1f allocations a message, want at most %g times %.1f",
				c.Case, got.Allocations, allocationSlack, kept[c.Case].Allocations)
		}
		if got.ClientCPU > kept[c.Case].ClientCPU*cpuSlack {
			t.Errorf("%s: %.2f times the raw client's CPU, want at most %g times %.2f",
				c.Case, got.ClientCPU, cpuSlack, kept[c.Case].ClientCPU)
		}
		if got.Allocations < kept[c.Case].Allocations/allocationSlack {
			t.Logf("%s: fewer allocations than are kept; keep these: make bench-gate ARGS=-update", c.Case)
		}
	}
	if *update {
		writeGate(t, now)
	}
}

func (g gate) passes(kept gate) bool {
	return g.Allocations <= kept.Allocations*allocationSlack && g.ClientCPU <= kept.ClientCPU*cpuSlack
}

// worst returns the higher figures, so that a lucky run does not set the kept ones.
func (g gate) worst(other gate) gate {
	return gate{max(g.Allocations, other.Allocations), max(g.ClientCPU, other.ClientCPU)}
}

// best returns the lower figures: one good run is enough, since what costs more does so in all.
func (g gate) best(other gate) gate {
	return gate{min(g.Allocations, other.Allocations), min(g.ClientCPU, other.ClientCPU)}
}

func measureGate(t *testing.T, name, beside string) gate {
	t.Helper()
	c := playOnPeer(t, name, gateRounds, gateCount)
	their, there := c.side(beside)
	if !there {
		t.Fatalf("case %s has no side %q", name, beside)
	}
	mine := c.Sides[0].Rounds
	of, known := compareSides(mine, their.Rounds, turn.ClientCPU)
	all, alsoKnown := summarise(mine, turn.Allocs)
	if !known || !alsoKnown {
		t.Fatalf("%s: measured nothing", name)
	}
	return gate{Allocations: all.Median, ClientCPU: of.PerRound}
}

// playOnPeer plays a case with so many messages. Each side runs in its own processes.
func playOnPeer(t *testing.T, name string, rounds, count int) caseResult {
	t.Helper()
	w, found := findCase(name)
	if !found {
		t.Fatalf("there is no case %q", name)
	}
	addr, closeMetrics, err := dropMetrics()
	if err != nil {
		t.Fatal(err)
	}
	defer closeMetrics()
	r := &runner{statsd: addr, progress: func(string, ...any) {}}
	c, err := r.playCase(t.Context(), variant{workload: w, QueueType: mainType, Size: mainSize, Count: count}, rounds)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func readGate(t *testing.T) map[string]gate {
	t.Helper()
	text, err := os.ReadFile(gateFile)
	if err != nil && !*update {
		t.Fatal(err)
	}
	kept := map[string]gate{}
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil && !*update {
		t.Fatal(err)
	}
	return kept
}

func writeGate(t *testing.T, now map[string]gate) {
	t.Helper()
	text, err := json.MarshalIndent(now, "", "  ")
	if err == nil {
		err = os.WriteFile(gateFile, append(text, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}
