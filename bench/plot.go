package main

import (
	"encoding/xml"
	"fmt"
	"math"
	"strings"
)

// bar is one ratio in the plot.
type bar struct {
	Label, Beside string
	Value         float64
	Better        bool // this library is better than the other side
}

// bars returns the ratios of the figures. It inverts a ratio for which less is better, so that a
// longer bar is always the better one.
func bars(r *results) []bar {
	var all []bar
	for _, c := range r.Cases {
		for _, s := range c.Sides[1:] {
			of, known := compareSides(c.Sides[0].Rounds, s.Rounds, c.Figure)
			if !known || of.PerRound <= 0 || isOther(s.Name) { // the plot is about the raw client
				continue
			}
			b := bar{Label: c.Name, Beside: s.Name, Value: of.PerRound}
			if !metrics[c.Figure].higher {
				b.Value = 1 / b.Value
				b.Label += " (" + metrics[c.Figure].name + ")"
			}
			b.Better = b.Value >= 1
			all = append(all, b)
		}
	}
	return all
}

// Measures of the plot, in pixels.
const (
	plotWidth  = 980
	plotLabels = 500 // left of the bars
	plotNumber = 60  // right of the bars
	plotLine   = 22
	plotTop    = 64
	plotBottom = 34
)

// plot draws the ratios as bars, with a line at 1: as fast as the other side.
func plot(r *results) string {
	all := bars(r)
	most := 1.5
	for _, b := range all {
		most = max(most, b.Value)
	}
	most = math.Ceil(most*2) / 2
	at := func(v float64) float64 { return plotLabels + v/most*(plotWidth-plotLabels-plotNumber) }
	height := plotTop + plotLine*len(all) + plotBottom
	bottom := height - plotBottom

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", plotWidth, height, plotWidth, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", plotWidth, height)
	title, under := "Bunnicula beside the raw client", fmt.Sprintf("median of the rounds' ratios, of %d; 1 is as good as the raw client, and longer is better", r.Rounds)
	if r.Peer {
		under += "; no broker, a peer that only counts"
	} else if r.Machine.Broker != "" {
		under += "; RabbitMQ " + r.Machine.Broker
	}
	fmt.Fprintf(&b, `<text x="12" y="24" font-size="16" font-weight="bold">%s</text>`+"\n", escape(title))
	fmt.Fprintf(&b, `<text x="12" y="44" fill="#555555">%s</text>`+"\n", escape(under))
	step := 0.5
	if most > 6 {
		step = math.Ceil(most / 8)
	}
	for v := 0.0; v <= most; v += step {
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#dddddd"/>`, at(v), plotTop-6, at(v), bottom)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" fill="#555555" text-anchor="middle">%.1f</text>`+"\n", at(v), bottom+18, v)
	}
	for i, one := range all {
		y := plotTop + plotLine*i
		colour := "#c44e52"
		if one.Better {
			colour = "#4c72b0"
		}
		fmt.Fprintf(&b, `<text x="12" y="%d">%s</text>`, y+14, escape(one.Label))
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#555555" text-anchor="end">%s</text>`, plotLabels-10, y+14, escape(one.Beside))
		fmt.Fprintf(&b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, plotLabels, y+3, at(one.Value)-plotLabels, plotLine-8, colour)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d">%.2f</text>`+"\n", at(one.Value)+5, y+14, one.Value)
	}
	fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="black" stroke-width="1.5"/>`+"\n", at(1), plotTop-6, at(1), bottom)
	b.WriteString("</svg>\n")
	return b.String()
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder does not fail
	return b.String()
}
