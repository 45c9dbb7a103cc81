package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

const processesPlot = "processes.svg"

// scaled is a case of a workload that is measured with several numbers of something.
type scaled struct {
	caseResult

	Number int
}

// scaledCases returns the cases of a workload by its name without the number, as in "processes".
func (r *results) scaledCases(workload string) []scaled {
	var all []scaled
	for _, c := range r.Cases {
		name, _, _ := strings.Cut(c.Name, "/")
		digits, is := strings.CutPrefix(name, workload+"-")
		n, err := strconv.Atoi(digits)
		if is && err == nil {
			all = append(all, scaled{c, n})
		}
	}
	return all
}

// processesChart draws the throughput of several processes on one queue. It is false if that was
// not measured.
func processesChart(r *results) (chart, bool) {
	cases := r.scaledCases("processes")
	if len(cases) == 0 {
		return chart{}, false
	}
	p := panel{Unit: metrics[turn.Rate].title, Height: 220, Dots: true}
	c := chart{
		Title: "Processes that share one queue",
		Under: fmt.Sprintf("messages a second of all together, medians of the rounds; RabbitMQ %s", r.Machine.Broker),
		X:     "processes",
	}
	for _, one := range cases {
		at := math.Log2(float64(one.Number))
		c.Steps = append(c.Steps, step{at, strconv.Itoa(one.Number)})
		for i, s := range one.Sides {
			if len(p.Lines) <= i {
				p.Lines = append(p.Lines, line{Name: s.Name})
			}
			if all, known := summarise(s.Rounds, turn.Rate); known {
				p.Lines[i].Points = append(p.Lines[i].Points, point{at, all.Median})
			}
		}
	}
	c.Panels = []panel{p}
	return c, true
}
