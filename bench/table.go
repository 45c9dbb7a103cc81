package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

// printHead says what was measured, and where.
func printHead(w io.Writer, r *results) {
	fmt.Fprintf(w, "%s: rounds %d, %s", r.When.Format("2006-01-02 15:04"), r.Rounds, r.setting())
	if r.Machine.Load != "" {
		fmt.Fprintf(w, ", load %s", r.Machine.Load)
	}
	fmt.Fprintln(w)
}

// setting names the server, and the machine.
func (r *results) setting() string {
	m := r.Machine
	at := "RabbitMQ " + m.Broker
	if r.Peer {
		at = "a peer that only counts"
	}
	return fmt.Sprintf("beside %s, %d cores, %s, %s, amqp091-go %s", at, m.Cores, m.System, m.Go, m.Client)
}

// printCase prints a case as a table of its sides.
func printCase(w io.Writer, c caseResult) {
	fmt.Fprintf(w, "\n%s  %s", c.Name, c.Work)
	if c.Messages > 0 {
		fmt.Fprintf(w, "; %s messages", number(float64(c.Messages), 0))
	}
	fmt.Fprintln(w)
	figure := metrics[c.Figure]
	fmt.Fprintf(w, "  %-33s%9s%8s%8s%7s%8s", "", figure.title, "min", "max", "ratio", "of med.")
	for _, m := range c.Columns {
		fmt.Fprintf(w, "%*s", columnWidth(m), metrics[m].title)
	}
	fmt.Fprintln(w)
	for i, s := range c.Sides {
		all, _ := summarise(s.Rounds, c.Figure)
		fmt.Fprintf(w, "  %-33s%9s%8s%8s", s.Name, number(all.Median, figure.decimals), number(all.Min, figure.decimals), number(all.Max, figure.decimals))
		of, known := compareSides(c.Sides[0].Rounds, s.Rounds, c.Figure)
		if i > 0 && known {
			fmt.Fprintf(w, "%7.2f%8.2f", of.PerRound, of.OfMedians)
		} else {
			fmt.Fprintf(w, "%15s", "")
		}
		for _, m := range c.Columns {
			text := "-"
			if all, known := summarise(s.Rounds, m); known {
				text = number(all.Median, metrics[m].decimals)
			}
			fmt.Fprintf(w, "%*s", columnWidth(m), text)
		}
		fmt.Fprintln(w)
	}
}

func columnWidth(m turn.Metric) int {
	switch m {
	case turn.Bytes, turn.Startup, turn.P50, turn.Goroutines:
		return 9
	}
	return 7
}

// number formats a number with separated thousands.
func number(v float64, decimals int) string {
	whole, rest, _ := strings.Cut(strconv.FormatFloat(v, 'f', decimals, 64), ".")
	sign := ""
	if strings.HasPrefix(whole, "-") {
		sign, whole = "-", whole[1:]
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if rest != "" {
		rest = "." + rest
	}
	return sign + whole + rest
}
