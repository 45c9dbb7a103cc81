package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

// growthDir is where the results of what grows are, within the directory with the page's name.
const growthDir = "growth"

// renderGrowth updates the tables of what grows in a page.
func renderGrowth(dir, text string) (string, error) {
	runs, err := readAll[results](filepath.Join(dir, growthDir, "rabbitmq-*.json"))
	if err != nil {
		return "", err
	}
	memories, err := readAll[memoryRun](filepath.Join(dir, growthDir, "memory-*.json"))
	if err != nil {
		return "", err
	}
	return replacePart(text, "growth", growthMarkdown(runs, memories))
}

// growthMarkdown shows what grows with the number of queues, of processes, and with time.
func growthMarkdown(runs []results, memories []memoryRun) string {
	var b strings.Builder
	for _, r := range runs {
		fmt.Fprintf(&b, "RabbitMQ %s, %s, medians of the rounds, load at the start %s:\n", r.Machine.Broker, r.When.Format("2006-01-02"), r.Machine.Load)
		b.WriteString(queuesTable(r.scaledCases("queues")))
		b.WriteString(processesTable(r.scaledCases("processes")))
	}
	if len(memories) == 0 {
		return b.String()
	}
	b.WriteString("\n| Memory of one process | Minutes | Messages a second | Live heap, MiB | in an hour | RSS, MiB | in an hour | Goroutines | p99 | Client CPU | Broker CPU |\n" +
		strings.Repeat("| --- ", 11) + "|\n")
	for _, m := range memories {
		of := func(decimals int, f func(vitals) float64) string {
			var values []float64
			for _, v := range m.warmed() {
				values = append(values, f(v))
			}
			return number(median(values), decimals)
		}
		fmt.Fprintf(&b, "| RabbitMQ %s, %s | %.0f | %s | %s | %+.2f | %s | %+.2f | %s | %s ms | %s cores | %s cores |\n",
			m.Machine.Broker, m.When.Format("2006-01-02"), m.Seconds/60, of(0, func(v vitals) float64 { return v.Handled }),
			of(1, func(v vitals) float64 { return v.Live }), m.Trend.Live, of(1, func(v vitals) float64 { return v.RSS }), m.Trend.RSS,
			of(0, func(v vitals) float64 { return v.Goroutines }), of(0, func(v vitals) float64 { return v.P99 }),
			of(2, func(v vitals) float64 { return v.Client }), of(2, func(v vitals) float64 { return v.Broker }))
	}
	return b.String()
}

// queuesTable has a row for each side.
func queuesTable(cases []scaled) string {
	if len(cases) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n| Queues | Side | Rounds | MiB | Goroutines | Start-up, s | Client CPU, idle | at 2,000/s | Broker CPU, idle | at 2,000/s | p99, ms | Twice |\n" +
		strings.Repeat("| --- ", 12) + "|\n")
	for _, c := range cases {
		for _, s := range c.Sides {
			fmt.Fprintf(&b, "| %d %s | %s | %d | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", c.Number, c.QueueType, s.Name, len(s.Rounds),
				cell(s, turn.Memory, 1, 1), cell(s, turn.Goroutines, 1, 0), cell(s, turn.Startup, 0.001, 2), cell(s, turn.IdleClient, 1, 2), cell(s, turn.BusyClient, 1, 2),
				cell(s, turn.IdleBroker, 1, 2), cell(s, turn.BusyBroker, 1, 2), cell(s, turn.P99, 1, 0), cell(s, turn.Repeats, 1, 0))
		}
	}
	return b.String()
}

// processesTable has a row for each number of processes.
func processesTable(cases []scaled) string {
	if len(cases) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n| Processes | Side | Rounds | Messages a second | Ratio | Client CPU, s for 100,000 | Broker CPU | Fewest messages of one, of the mean | Most |\n" +
		strings.Repeat("| --- ", 9) + "|\n")
	for _, c := range cases {
		for i, s := range c.Sides {
			ratio := "–"
			if of, known := compareSides(c.Sides[0].Rounds, s.Rounds, turn.Rate); i > 0 && known {
				ratio = fmt.Sprintf("%.2f", of.PerRound)
			}
			fmt.Fprintf(&b, "| %d | %s | %d | %s | %s | %s | %s | %s | %s |\n", c.Number, s.Name, len(s.Rounds), cell(s, turn.Rate, 1, 0), ratio,
				cell(s, turn.ClientCPU, 1, 1), cell(s, turn.BrokerCPU, 1, 1), cell(s, turn.LeastShare, 1, 2), cell(s, turn.MostShare, 1, 2))
		}
	}
	return b.String()
}

// cell is the median of a metric, times a factor, or a dash.
func cell(s sideResult, m turn.Metric, times float64, decimals int) string {
	all, known := summarise(s.Rounds, m)
	if !known {
		return "–"
	}
	return number(all.Median*times, decimals)
}
