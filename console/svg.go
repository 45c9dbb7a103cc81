package console

import (
	"fmt"
	"html/template"
	"strings"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// This file alone makes template.HTML. Texts in it are ours or escaped.

const (
	chartWidth  = 720
	chartHeight = 96
)

// SVG draws the timeline: bars of stacked versions. A table beneath it says the same.
func (d timelineData) SVG() template.HTML {
	if len(d.Bars) == 0 || d.Most == 0 {
		return ""
	}
	var out strings.Builder
	fmt.Fprintf(&out, `<svg class="chart" viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="parked by time and version; the table beneath has the numbers">`, chartWidth, chartHeight)
	slot := float64(chartWidth) / float64(max(len(d.Bars), 12))
	for i, b := range d.Bars {
		y := float64(chartHeight)
		for version, n := range b.Parts {
			if n == 0 {
				continue
			}
			h := max(1.5, float64(n)*(chartHeight-4)/float64(d.Most))
			y -= h
			fmt.Fprintf(&out, `<rect class="v%d" x="%.1f" y="%.1f" width="%.1f" height="%.1f"><title>%s: %d</title></rect>`,
				d.Versions[version].Class, float64(i)*slot, y, max(1, slot-1), h, template.HTMLEscapeString(b.At.Exact), n)
		}
	}
	out.WriteString("</svg>")
	return template.HTML(out.String()) //nolint:gosec // numbers, and a time that is escaped
}

// Depth draws how many messages were ready.
func (d pastData) Depth() template.HTML {
	return plot("ready messages by time; the table beneath has the numbers", d.line(float64(d.MostReady), readyOf))
}

// Speed draws how many messages came and were acked.
func (d pastData) Speed() template.HTML {
	return plot("messages a second by time; the table beneath has the numbers", d.line(d.MostRate, inOf), d.line(d.MostRate, outOf))
}

// plot draws lines. What is unknown is a gap, and a place between two gaps is a dot.
func plot(label string, lines ...[]place) template.HTML {
	var out strings.Builder
	fmt.Fprintf(&out, `<svg class="chart" viewBox="0 0 %d %d" preserveAspectRatio="none" role="img" aria-label="%s">`, chartWidth, chartHeight, template.HTMLEscapeString(label))
	for class, line := range lines {
		if len(line) == 0 {
			continue
		}
		fmt.Fprintf(&out, `<path class="line l%d" d="`, class)
		for _, p := range line {
			x, y := p.X*chartWidth, chartHeight-2-p.Y*(chartHeight-6)
			if p.Gap {
				fmt.Fprintf(&out, "M%.1f %.1fh.1", x, y)
				continue
			}
			fmt.Fprintf(&out, "L%.1f %.1f", x, y)
		}
		out.WriteString(`"></path>`)
	}
	out.WriteString("</svg>")
	return template.HTML(out.String()) //nolint:gosec // numbers, and a label that is escaped
}

// SVG draws the topology.
func (p picture) SVG() template.HTML {
	if len(p.Boxes) == 0 {
		return ""
	}
	text := func(s string, n int) string { return template.HTMLEscapeString(foreign.Line(cut(s, n), 4*n)) }
	var out strings.Builder
	fmt.Fprintf(&out, `<svg class="picture" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="the ways of messages; the tables beneath say the same">`, p.Width, p.Height, p.Width, p.Height)
	out.WriteString(`<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z"></path></marker></defs>`)
	for _, l := range p.Lines {
		fmt.Fprintf(&out, `<path class="%s" d="M%d %dC%d %d %d %d %d %d" marker-end="url(#arrow)"><title>%s</title></path>`,
			l.Class, l.X1, l.Y1, l.X1-l.Bend, l.Y1, l.X2-l.Bend, l.Y2, l.X2, l.Y2, text(l.Label, 120))
	}
	for _, b := range p.Boxes {
		fmt.Fprintf(&out, `<g class="%s"><title>%s</title><rect x="%d" y="%d" width="%d" height="%d" rx="6"></rect><text x="%d" y="%d">%s</text>`,
			b.Class, text(b.Label, 255), b.X, b.Y, boxWidth, boxHeight, b.X+10, b.Y+18, text(b.Label, 28))
		if b.Depth != "" {
			fmt.Fprintf(&out, `<text class="depth" x="%d" y="%d">%s ready</text>`, b.X+10, b.Y+35, text(b.Depth, 20))
		}
		out.WriteString("</g>")
	}
	out.WriteString("</svg>")
	return template.HTML(out.String()) //nolint:gosec // numbers, classes of ours, and texts that are escaped
}
