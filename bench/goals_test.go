package main

import (
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

func TestEveryGoalIsAboutACaseAndASideThatThereAre(t *testing.T) {
	for _, g := range goals {
		w, found := findCase(g.Case)
		if !found {
			t.Errorf("%s: there is no case %q", g.What, g.Case)
			continue
		}
		if _, there := (caseResult{Sides: sidesOf(w)}).side(g.Beside); !there && g.Kind != inItself {
			t.Errorf("%s: case %s has no side %q", g.What, g.Case, g.Beside)
		}
		if g.Beside == w.Sides[0].Name {
			t.Errorf("%s: ours is held against itself", g.What)
		}
		better := g.Dream > g.Want
		if better != (g.Kind == atLeast) {
			t.Errorf("%s: %v is not better than %v", g.What, g.Dream, g.Want)
		}
	}
}

func sidesOf(w workload) []sideResult {
	var all []sideResult
	for _, s := range withOthers(w) {
		all = append(all, sideResult{Name: s.Name})
	}
	return all
}

func TestAGoalIsMissedMetOrMore(t *testing.T) {
	consume := goal{Case: "consume-16", Beside: rawLoop, Metric: turn.Rate, Kind: atLeast, Want: 1.45, Dream: 2}
	latency := goal{Case: "latency", Beside: rawLoop, Metric: turn.P99, Kind: atMost, Want: 0.4, Dream: 0.3}
	tight := goal{Case: "consume-16", Beside: rawLoop, Metric: turn.Allocs, Kind: added, Want: 3, Dream: 1}
	idle := goal{Case: "many-200", Metric: turn.Memory, Kind: inItself, Want: 6, Dream: 3}
	for _, tt := range []struct {
		name  string
		goal  goal
		times float64
		got   float64
		want  verdict
	}{
		{"at least, below", consume, 1.44, 1.44, missed},
		{"at least, above", consume, 1.46, 1.46, met},
		{"at least, far above", consume, 2.5, 2.5, stretched},
		{"at most, above", latency, 1, 0.5, missed},
		{"added", tight, 1, 2, met},
		{"in itself", idle, 1, 4, met},
		{"not measured", goal{Case: "retry", Beside: rawRetry, Metric: turn.Rate}, 1, 0, notMeasured},
		{"no such metric", goal{Case: "consume-16", Beside: rawLoop, Metric: turn.BrokerCPU}, 1, 0, notMeasured},
		{"no such side", goal{Case: "consume-16", Beside: rawAutoAck, Metric: turn.Rate}, 1, 0, notMeasured},
	} {
		got, v := tt.goal.judge(made(tt.times))
		if v != tt.want || got < tt.got-0.001 || got > tt.got+0.001 {
			t.Errorf("%s: %v with %v, want %v with %v", tt.name, v, got, tt.want, tt.got)
		}
	}
}

func TestALittleMoreTimeIsLetThrough(t *testing.T) {
	r := made(1)
	r.Cases[1].Sides[0].Rounds = rounds(turn.P99, 2.9, 2.9, 2.9)
	r.Cases[1].Sides[1].Rounds = rounds(turn.P99, 2, 2, 2)
	g := goal{Case: "latency", Beside: rawLoop, Metric: turn.P99, Kind: atMost, Want: 1.15, Dream: 1.05, Slack: 1}
	if _, v := g.judge(r); v != met {
		t.Errorf("0.9 ms more: %v, want met", v)
	}
	r.Cases[1].Sides[0].Rounds = rounds(turn.P99, 3.1, 3.1, 3.1)
	if _, v := g.judge(r); v != missed {
		t.Errorf("1.1 ms more: %v, want missed", v)
	}
}

func TestTheGoalsThatWereMeasuredArePrinted(t *testing.T) {
	var out strings.Builder
	if failed := printGoals(&out, made(1.2)); failed != 1 { // consume-16 beside the raw loop
		t.Errorf("%d missed, want 1\n%s", failed, out.String())
	}
	if !strings.Contains(out.String(), "MISSED") || strings.Contains(out.String(), "retries") {
		t.Error(out.String())
	}
	r := made(1.2)
	r.Peer = true
	out.Reset()
	if failed := printGoals(&out, r); failed != 0 {
		t.Errorf("beside a peer %d are missed, want none: speed is not judged there\n%s", failed, out.String())
	}
}
