package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bunnicula-go/bunnicula/bench/turn"
)

// section is a part of the page that is generated from results beside the page.
type section struct {
	name  string            // in the lines around it
	dir   string            // of the results, within the directory with the page's name
	about func(string) bool // selects sides by their names
	more  func([]results) string
}

var sections = []section{
	{name: "measured", about: func(side string) bool { return !isOther(side) }, more: func([]results) string { return "" }},
	{name: "others", dir: "others", about: isOther, more: faster},
}

// writePage updates the generated parts of a page, from the results in the directory with the
// page's name.
func writePage(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	page, err := renderPage(file, string(text))
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(page), 0o644)
}

func renderPage(file, text string) (string, error) {
	dir := strings.ToLower(strings.TrimSuffix(file, ".md"))
	text, err := renderSections(dir, text)
	if err == nil {
		text, err = renderParts(dir, text)
	}
	if err == nil {
		text, err = renderGrowth(dir, text)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return text, nil
}

// renderSections updates the tables of all sections in a page.
func renderSections(dir, text string) (string, error) {
	for _, s := range sections {
		runs, err := readAll[results](filepath.Join(dir, s.dir, "*.json"))
		if err == nil {
			text, err = replacePart(text, s.name, s.markdown(runs))
		}
		if err != nil {
			return "", err
		}
	}
	return text, nil
}

// replacePart replaces what is between the two lines with a name.
func replacePart(text, name, part string) (string, error) {
	begin := "<!-- " + name + ": begin (make performance) -->\n"
	end := "<!-- " + name + ": end -->\n"
	before, rest, found := strings.Cut(text, begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return "", fmt.Errorf("there is no part between %q and %q", strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	return before + begin + "\n" + part + "\n" + end + after, nil
}

// readAll reads the results in all files with such a name.
func readAll[T any](pattern string) ([]T, error) {
	names, err := filepath.Glob(pattern)
	if err == nil && len(names) == 0 {
		err = fmt.Errorf("there are no results in %s", pattern)
	}
	if err != nil {
		return nil, err
	}
	all := make([]T, len(names))
	for i, name := range names {
		if err := readJSON(name, &all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// markdown shows several runs, on different brokers, side by side.
func (s section) markdown(runs []results) string {
	var b strings.Builder
	var brokers []string
	for _, r := range runs {
		m := r.Machine
		fmt.Fprintf(&b, "- %s: RabbitMQ %s, %d cores, %s, %s, amqp091-go %s, %d rounds, load at the start %s\n",
			r.When.Format("2006-01-02"), m.Broker, m.Cores, m.System, m.Go, m.Client, r.Rounds, m.Load)
		brokers = append(brokers, m.Broker)
	}
	on := strings.Join(brokers, " · ")
	fmt.Fprintf(&b, "\n| Work (quorum queue, 256 bytes) | Beside | Goal | Stretch | Got on %s |\n| --- | --- | --- | --- | --- |\n", on)
	for _, g := range goals {
		if s.about(g.Beside) {
			fmt.Fprintf(&b, "| %s | %s | %s %.2f | %.2f | %s |\n", g.What, orDash(g.Beside), g.sign(), g.Want, g.Dream, verdicts(g, runs))
		}
	}
	fmt.Fprintf(&b, "\n| Case | Beside | Ratio on %s | Ours | Theirs | Our client CPU | Our broker CPU | Allocations more |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n", on)
	for _, c := range runs[0].Cases {
		for _, their := range c.Sides[1:] {
			if s.about(their.Name) {
				fmt.Fprintf(&b, "| %s | %s |%s\n", c.Name, their.Name, cells(runs, c, their.Name))
			}
		}
	}
	return b.String() + s.more(runs)
}

// verdicts returns what all runs say about a goal.
func verdicts(g goal, runs []results) string {
	var got []string
	for i := range runs {
		v, what := g.judge(&runs[i])
		text := fmt.Sprintf("%.2f", v)
		switch what {
		case notMeasured:
			text = "–"
		case missed:
			text += " missed"
		}
		got = append(got, text)
	}
	return strings.Join(got, " · ")
}

// faster says which other libraries were faster, and which versions were measured.
func faster(runs []results) string {
	var all, versions []string
	for _, r := range runs {
		for _, c := range r.Cases {
			for _, their := range c.Sides[1:] {
				of, known := compareSides(c.Sides[0].Rounds, their.Rounds, turn.Rate)
				if isOther(their.Name) && known && of.PerRound < 1 {
					all = append(all, fmt.Sprintf("%s, %s on %s (%.2f)", their.Name, c.Name, r.Machine.Broker, of.PerRound))
				}
			}
		}
		for module, version := range r.Machine.Libraries {
			versions = append(versions, "`"+module+"` "+version)
		}
	}
	if len(all) == 0 {
		all = []string{"none"}
	}
	slices.Sort(versions)
	return fmt.Sprintf("\nFaster than this library: %s.\n\nMeasured: %s.\n", strings.Join(all, "; "), strings.Join(slices.Compact(versions), ", "))
}

// cells returns the results of all runs for a case and one of its other sides.
func cells(runs []results, c caseResult, beside string) string {
	columns := make([][]string, 6)
	for i := range runs {
		of, ok := runs[i].find(c.Name)
		their, there := of.side(beside)
		if !ok || !there {
			for j := range columns {
				columns[j] = append(columns[j], "–")
			}
			continue
		}
		mine := of.Sides[0].Rounds
		figure := metrics[of.Figure]
		ratioOf := func(m turn.Metric) string {
			if r, known := compareSides(mine, their.Rounds, m); known {
				return fmt.Sprintf("%.2f", r.PerRound)
			}
			return "–"
		}
		medianOf := func(rounds []turn.Sample) string {
			s, known := summarise(rounds, of.Figure)
			if !known {
				return "–"
			}
			return number(s.Median, figure.decimals)
		}
		more := "–"
		if d, known := difference(mine, their.Rounds, turn.Allocs); known {
			more = fmt.Sprintf("%+.1f", d)
		}
		for j, text := range []string{ratioOf(of.Figure), medianOf(mine), medianOf(their.Rounds), ratioOf(turn.ClientCPU), ratioOf(turn.BrokerCPU), more} {
			columns[j] = append(columns[j], text)
		}
	}
	unit := metrics[c.Figure].title
	var b strings.Builder
	for j, texts := range columns {
		fmt.Fprintf(&b, " %s", strings.Join(texts, " · "))
		if j == 1 || j == 2 {
			fmt.Fprintf(&b, " %s", unit)
		}
		b.WriteString(" |")
	}
	return b.String()
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
