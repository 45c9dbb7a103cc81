package main

import (
	"fmt"
	"io"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

// printComparison prints the results of another run and the changes since. It compares ratios, and
// also absolute figures if both runs had the same machine and the same work.
func printComparison(w io.Writer, old, now *results) {
	fmt.Fprintf(w, "\ncompared with %s\n", old.When.Format("2006-01-02 15:04"))
	if old.Machine.Cores != now.Machine.Cores || old.Machine.Broker != now.Machine.Broker || old.Peer != now.Peer || old.Quick != now.Quick {
		fmt.Fprintln(w, "  (another machine, broker or kind of run: look at the ratios only)")
	}
	fmt.Fprintf(w, "  %-66s%11s%11s%9s\n", "", "before", "now", "change")
	for _, c := range now.Cases {
		before, there := old.find(c.Name)
		if !there {
			fmt.Fprintf(w, "  %s: not measured before\n", c.Name)
			continue
		}
		for _, l := range compareCase(before, c) {
			fmt.Fprintf(w, "  %-66s%11s%11s%8.1f%%\n", l.What, number(l.Before, l.decimals), number(l.Now, l.decimals), l.Change())
		}
	}
}

// change is one figure in two runs.
type change struct {
	What        string
	Before, Now float64
	decimals    int
}

// Change is in percent.
func (c change) Change() float64 {
	if c.Before == 0 {
		return 0
	}
	return (c.Now/c.Before - 1) * 100
}

// compareCase leaves out figures that only one of the runs has.
func compareCase(before, now caseResult) []change {
	var all []change
	own, alsoOwn := before.Sides[0], now.Sides[0]
	a, known := summarise(own.Rounds, now.Figure)
	b, both := summarise(alsoOwn.Rounds, now.Figure)
	if known && both {
		all = append(all, change{now.Name + ": " + metrics[now.Figure].name, a.Median, b.Median, metrics[now.Figure].decimals})
	}
	for _, s := range now.Sides[1:] {
		theirs, there := before.side(s.Name)
		if !there {
			continue
		}
		for _, m := range []turn.Metric{now.Figure, turn.ClientCPU, turn.BrokerCPU} {
			a, known := compareSides(own.Rounds, theirs.Rounds, m)
			b, both := compareSides(alsoOwn.Rounds, s.Rounds, m)
			if known && both {
				all = append(all, change{fmt.Sprintf("  %s, ratio to %s", metrics[m].name, s.Name), a.PerRound, b.PerRound, 2})
			}
		}
	}
	return all
}
