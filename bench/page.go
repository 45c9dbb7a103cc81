package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The generated parts of the page are between these lines. They come from the results beside the
// page.
const (
	pageBegin   = "<!-- measured: begin (make performance) -->\n"
	pageEnd     = "<!-- measured: end -->\n"
	growthBegin = "<!-- growth: begin (make performance) -->\n"
	growthEnd   = "<!-- growth: end -->\n"
	growthDir   = "growth" // of the results that the second part shows
)

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
	runs, err := readAll[results](filepath.Join(dir, "*.json"))
	if err != nil {
		return "", err
	}
	grown, err := readAll[results](filepath.Join(dir, growthDir, "rabbitmq-*.json"))
	if err != nil {
		return "", err
	}
	memories, err := readAll[memoryRun](filepath.Join(dir, growthDir, "memory-*.json"))
	if err != nil {
		return "", err
	}
	text, err = replacePart(text, pageBegin, pageEnd, markdown(runs))
	if err == nil {
		text, err = replacePart(text, growthBegin, growthEnd, growthMarkdown(grown, memories))
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	return text, nil
}

// replacePart replaces what is between two lines.
func replacePart(text, begin, end, part string) (string, error) {
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
func markdown(runs []results) string {
	var b strings.Builder
	for _, r := range runs {
		m := r.Machine
		fmt.Fprintf(&b, "- %s: RabbitMQ %s, %d cores, %s, %s, amqp091-go %s, %d rounds, load at the start %s\n",
			r.When.Format("2006-01-02"), m.Broker, m.Cores, m.System, m.Go, m.Client, r.Rounds, m.Load)
	}
	var brokers []string
	for _, r := range runs {
		brokers = append(brokers, r.Machine.Broker)
	}
	on := strings.Join(brokers, " · ")
	fmt.Fprintf(&b, "\n| Work (quorum queue, 256 bytes) | Beside | Goal | Stretch | Got on %s |\n| --- | --- | --- | --- | --- |\n", on)
	for _, g := range goals {
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
		fmt.Fprintf(&b, "| %s | %s | %s %.2f | %.2f | %s |\n", g.What, orDash(g.Beside), g.sign(), g.Want, g.Dream, strings.Join(got, " · "))
	}
	fmt.Fprintf(&b, "\n| Case | Beside | Ratio on %s | Ours | Theirs | Our client CPU | Our broker CPU | Allocations more |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n", on)
	for _, c := range runs[0].Cases {
		for _, s := range c.Sides[1:] {
			fmt.Fprintf(&b, "| %s | %s |%s\n", c.Name, s.Name, cells(runs, c, s.Name))
		}
	}
	return b.String()
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
		ratioOf := func(m metric) string {
			if r, known := compareSides(mine, their.Rounds, m); known {
				return fmt.Sprintf("%.2f", r.PerRound)
			}
			return "–"
		}
		medianOf := func(rounds []sample) string {
			s, known := summarise(rounds, of.Figure)
			if !known {
				return "–"
			}
			return number(s.Median, figure.decimals)
		}
		more := "–"
		if d, known := difference(mine, their.Rounds, allocs); known {
			more = fmt.Sprintf("%+.1f", d)
		}
		for j, text := range []string{ratioOf(of.Figure), medianOf(mine), medianOf(their.Rounds), ratioOf(clientCPU), ratioOf(brokerCPU), more} {
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
