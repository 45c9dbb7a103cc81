package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

// partsFile is where the results of the parts are, within the directory with the page's name.
const partsFile = "parts/peer.json"

// renderParts updates the table of parts in a page.
func renderParts(dir, text string) (string, error) {
	r, err := readResults(filepath.Join(dir, partsFile))
	if err != nil {
		return "", err
	}
	return replacePart(text, "parts", markdownParts(&r))
}

// markdownParts shows each side of the cases of parts beside the first one. The CPU is that of the
// best round, since whatever else a machine does only adds to it. Messages a second are not shown:
// beside a peer the core is their limit, so they say the same with more noise.
func markdownParts(r *results) string {
	var b strings.Builder
	fmt.Fprintf(&b, "- %s: %s, %d rounds, load at the start %s\n", r.When.Format("2006-01-02"), r.setting(), r.Rounds, r.Machine.Load)
	b.WriteString("\n| Part | CPU more, µs a message | CPU, ratio | Allocations more |\n| --- | --- | --- | --- |\n")
	for _, c := range r.Cases {
		if !strings.HasPrefix(c.Name, partsCase) {
			continue
		}
		base := c.Sides[0].Rounds
		cpu, _ := summarise(base, turn.ClientCPU)
		all, _ := summarise(base, turn.Allocs)
		fmt.Fprintf(&b, "| *%s: all that it costs* | *%.1f* | | *%.1f* |\n", c.Sides[0].Name, microseconds(cpu.Min), all.Median)
		for _, s := range c.Sides[1:] {
			with, _ := summarise(s.Rounds, turn.ClientCPU)
			more, _ := difference(s.Rounds, base, turn.Allocs)
			fmt.Fprintf(&b, "| %s | %+.1f | %.2f | %+.1f |\n", s.Name, microseconds(with.Min-cpu.Min), with.Min/cpu.Min, more)
		}
	}
	return b.String()
}

// microseconds converts seconds for 100,000 messages to microseconds for one.
func microseconds(clientCPU float64) float64 { return clientCPU * 10 }
