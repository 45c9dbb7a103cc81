package main

import (
	"fmt"
	"io"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

// goal is what a case should show, with a quorum queue and messages of 256 bytes.
type goal struct {
	What   string
	Case   string // the workload's name
	Beside string // the side that this library is compared with; "" is none
	Metric turn.Metric
	Kind   goalKind
	Want   float64
	Dream  float64 // a more ambitious value
	Slack  float64 // an allowed excess in the metric's own unit, whatever the ratio
}

type goalKind int

const (
	atLeast  goalKind = iota // the ratio to the other side
	atMost                   // the ratio to the other side
	added                    // the allowed excess over the other side
	inItself                 // the allowed value, without another side
)

// goals are the promises: speed as a ratio to the same work on the raw client, or by another
// library, in one run.
var goals = []goal{
	{What: "consume, concurrency 16", Case: "consume-16", Beside: rawLoop, Metric: turn.Rate, Kind: atLeast, Want: 1.35, Dream: 1.8},
	{What: "consume, concurrency 16", Case: "consume-16", Beside: rawAutoAck, Metric: turn.Rate, Kind: atLeast, Want: 0.9, Dream: 1.1},
	{What: "broker CPU for a consumed message", Case: "consume-16", Beside: rawLoop, Metric: turn.BrokerCPU, Kind: atMost, Want: 0.65, Dream: 0.55},
	{What: "client CPU for a consumed message", Case: "consume-16", Beside: rawLoop, Metric: turn.ClientCPU, Kind: atMost, Want: 0.78, Dream: 0.7},
	{What: "one in 1,000 takes 200 ms", Case: "consume-slow", Beside: rawWorkers, Metric: turn.Rate, Kind: atLeast, Want: 1, Dream: 1.3},
	{What: "JSON, timeout, log and statsd", Case: "consume-watched", Beside: oursBare, Metric: turn.Rate, Kind: atLeast, Want: 0.85, Dream: 0.95},
	{What: "our defaults", Case: "consume-defaults", Beside: rawFour, Metric: turn.Rate, Kind: atLeast, Want: 2.5, Dream: 4},
	{What: "Publish, 64 callers", Case: "publish-64", Beside: rawCallers(64), Metric: turn.Rate, Kind: atLeast, Want: 1.1, Dream: 1.2},
	{What: "PublishAsync", Case: "publish-async", Beside: rawPipelined, Metric: turn.Rate, Kind: atLeast, Want: 1, Dream: 1.15},
	{What: "retries", Case: "retry", Beside: rawRetry, Metric: turn.Rate, Kind: atLeast, Want: 1.3, Dream: 1.6},
	{What: "p50 from publish to handler", Case: "latency", Beside: rawLoop, Metric: turn.P50, Kind: atMost, Want: 1.05, Dream: 1},
	{What: "p99 from publish to handler", Case: "latency", Beside: rawLoop, Metric: turn.P99, Kind: atMost, Want: 1.25, Dream: 1, Slack: 1},
	{What: "allocations more, to consume", Case: "consume-16", Beside: rawLoop, Metric: turn.Allocs, Kind: added, Want: 3, Dream: 1},
	{What: "consume, concurrency 16", Case: "consume-16", Beside: turn.WatermillOne, Metric: turn.Rate, Kind: atLeast, Want: 1.5, Dream: 2},
	{What: "consume, concurrency 16", Case: "consume-16", Beside: turn.WatermillSixteen, Metric: turn.Rate, Kind: atLeast, Want: 1.5, Dream: 2},
	{What: "Publish, 64 callers", Case: "publish-64", Beside: turn.WatermillChannels, Metric: turn.Rate, Kind: atLeast, Want: 1.4, Dream: 1.8},
	{What: "MiB of 200 idle consumers", Case: "many-200", Metric: turn.Memory, Kind: inItself, Want: 6, Dream: 3},
}

// verdict says whether a goal was met.
type verdict int

const (
	notMeasured verdict = iota
	missed
	met
	stretched
)

func (v verdict) String() string {
	return [...]string{"not measured", "MISSED", "met", "met, and more"}[v]
}

// judge compares a goal with the results.
func (g goal) judge(r *results) (got float64, v verdict) {
	c, there := r.find(variant{workload: workload{Name: g.Case}, QueueType: mainType, Size: mainSize}.Name())
	if !there {
		return 0, notMeasured
	}
	mine := c.Sides[0].Rounds
	their, there := c.side(g.Beside)
	if !there && g.Kind != inItself {
		return 0, notMeasured
	}
	var known bool
	switch g.Kind {
	case atLeast, atMost:
		var of ratio
		of, known = compareSides(mine, their.Rounds, g.Metric)
		got = of.PerRound
	case added:
		got, known = difference(mine, their.Rounds, g.Metric)
	case inItself:
		var all summary
		all, known = summarise(mine, g.Metric)
		got = all.Median
	}
	if !known {
		return 0, notMeasured
	}
	reaches := func(limit float64) bool {
		if g.Kind == atLeast {
			return got >= limit
		}
		return got <= limit
	}
	switch {
	case reaches(g.Dream):
		return got, stretched
	case reaches(g.Want):
		return got, met
	}
	if more, known := difference(mine, their.Rounds, g.Metric); g.Slack > 0 && known && more <= g.Slack {
		return got, met
	}
	return got, missed
}

// ofClient says whether the goal can be judged without a broker.
func (g goal) ofClient() bool {
	return g.Metric == turn.ClientCPU || g.Metric == turn.Allocs || g.Metric == turn.Memory
}

func (g goal) sign() string {
	if g.Kind == atLeast {
		return "≥"
	}
	return "≤"
}

// printGoals prints all goals for which the run has results, and returns how many were missed.
func printGoals(w io.Writer, r *results) (failed int) {
	var lines []string
	for _, g := range goals {
		got, v := g.judge(r)
		if v == notMeasured || r.Peer && !g.ofClient() {
			continue
		}
		if v == missed {
			failed++
		}
		lines = append(lines, fmt.Sprintf("  %-35s%-35s%3s%6.2f%9.2f%9.2f  %s\n", g.What, g.Beside, g.sign(), g.Want, g.Dream, got, v))
	}
	if len(lines) == 0 {
		return 0
	}
	note := ""
	switch {
	case r.Peer:
		note = " (without a broker, those that are about the client's own work)"
	case r.Quick:
		note = " (-quick: a hint only)"
	}
	fmt.Fprintf(w, "\ngoals%s\n  %-35s%-35s%9s%9s%9s\n", note, "", "beside", "want", "stretch", "got")
	for _, line := range lines {
		fmt.Fprint(w, line)
	}
	return failed
}
