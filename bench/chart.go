package main

import (
	"fmt"
	"math"
	"strings"
)

// chart is a picture of lines over one x, in panels with a y of their own, one below the other.
type chart struct {
	Title, Under string
	X            string // what x is
	Steps        []step // the labels of x; nil for those of a number
	Panels       []panel
}

type panel struct {
	Unit   string
	Height int  // pixels
	Dots   bool // each point has a dot, with its value
	Lines  []line
}

type line struct {
	Name   string
	Points []point
}

type point struct{ X, Y float64 }

// step is a label of an axis.
type step struct {
	At    float64
	Label string
}

// Measures of a chart, in pixels, beside those of the plot.
const (
	chartLeft  = 64
	chartRight = 24
	chartGap   = 44 // above each panel, for its legend
)

// Colours of the lines of a panel, first to last: apart for those who see no red or no green too.
var lineColours = []string{"#4c72b0", "#dd8452", "#8172b3"}

func (c chart) draw() string {
	height := plotTop - 16 + plotBottom
	for _, p := range c.Panels {
		height += p.Height + chartGap
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", plotWidth, height, plotWidth, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", plotWidth, height)
	fmt.Fprintf(&b, `<text x="12" y="24" font-size="16" font-weight="bold">%s</text>`+"\n", escape(c.Title))
	fmt.Fprintf(&b, `<text x="12" y="44" fill="#555555">%s</text>`+"\n", escape(c.Under))
	fmt.Fprintf(&b, `<text x="%d" y="%d" fill="#555555" text-anchor="end">%s</text>`+"\n", plotWidth-chartRight, height-4, escape(c.X))
	first, last := c.reach()
	x := func(v float64) float64 {
		return chartLeft + (v-first)/(last-first)*(plotWidth-chartLeft-chartRight)
	}
	steps := c.Steps
	if steps == nil {
		steps = stepsOf(first, last, stepSize(last-first, 6))
	}
	top := plotTop - 16
	for _, p := range c.Panels {
		top += chartGap
		p.draw(&b, top, x, steps)
		top += p.Height
	}
	for _, s := range steps {
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" fill="#555555" text-anchor="middle">%s</text>`+"\n", x(s.At), top+16, escape(s.Label))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// reach returns the least and the largest x.
func (c chart) reach() (first, last float64) {
	first, last = math.Inf(1), math.Inf(-1)
	for _, p := range c.Panels {
		for _, l := range p.Lines {
			for _, at := range l.Points {
				first, last = min(first, at.X), max(last, at.X)
			}
		}
	}
	if first >= last || math.IsInf(first, 1) {
		return 0, 1
	}
	if c.Steps != nil { // room for the values of the outer points
		margin := (last - first) / 20
		return first - margin, last + margin
	}
	return first, last
}

// draw draws a panel whose upper edge is at top. Its y begins at 0.
func (p panel) draw(b *strings.Builder, top int, x func(float64) float64, steps []step) {
	most := 0.0
	for _, l := range p.Lines {
		for _, at := range l.Points {
			most = max(most, at.Y)
		}
	}
	each := stepSize(max(most, 1e-9), p.Height/28)
	size := math.Ceil(most/each-hair) * each
	if size == 0 {
		size = each
	}
	rows := stepsOf(0, size, each)
	bottom := float64(top + p.Height)
	y := func(v float64) float64 { return bottom - v/size*float64(p.Height) }
	for _, s := range steps {
		fmt.Fprintf(b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%.1f" stroke="#eeeeee"/>`, x(s.At), top, x(s.At), bottom)
	}
	for _, s := range rows {
		fmt.Fprintf(b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#dddddd"/>`, chartLeft, y(s.At), plotWidth-chartRight, y(s.At))
		fmt.Fprintf(b, `<text x="%d" y="%.1f" fill="#555555" text-anchor="end">%s</text>`+"\n", chartLeft-8, y(s.At)+4, s.Label)
	}
	fmt.Fprintf(b, `<text x="12" y="%d" fill="#555555">%s</text>`+"\n", top-12, escape(p.Unit))
	at := chartLeft + 40
	for i, l := range p.Lines {
		colour := lineColours[i%len(lineColours)]
		fmt.Fprintf(b, `<rect x="%d" y="%d" width="14" height="4" fill="%s"/><text x="%d" y="%d">%s</text>`+"\n", at, top-18, colour, at+20, top-12, escape(l.Name))
		at += 50 + 7*len(l.Name)
		var path strings.Builder
		for _, one := range l.Points {
			fmt.Fprintf(&path, "%.1f,%.1f ", x(one.X), y(one.Y))
			if p.Dots {
				beside := 16.0
				if p.isHighest(one) {
					beside = -8
				}
				fmt.Fprintf(b, `<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/><text x="%.1f" y="%.1f" fill="%s" text-anchor="middle">%s</text>`+"\n",
					x(one.X), y(one.Y), colour, x(one.X), y(one.Y)+beside, colour, label(math.Round(one.Y)))
			}
		}
		fmt.Fprintf(b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="1.8" stroke-linejoin="round"/>`+"\n", strings.TrimSpace(path.String()), colour)
	}
}

// isHighest says whether no line has a higher point at the same x.
func (p panel) isHighest(of point) bool {
	for _, l := range p.Lines {
		for _, other := range l.Points {
			if other.X == of.X && other.Y > of.Y {
				return false
			}
		}
	}
	return true
}

// hair is the part of a step that rounding may take away.
const hair = 1e-9

// stepSize returns a round number of which there are at most so many in a span.
func stepSize(span float64, many int) float64 {
	least := span / float64(many)
	ten := math.Pow(10, math.Floor(math.Log10(least)))
	for _, times := range []float64{1, 2, 5} {
		if ten*times >= least*(1-hair) {
			return ten * times
		}
	}
	return ten * 10
}

// stepsOf returns the multiples of a number from first to last.
func stepsOf(first, last, size float64) []step {
	var steps []step
	for i := int(math.Ceil(first/size - hair)); float64(i) <= last/size+hair; i++ {
		steps = append(steps, step{float64(i) * size, label(float64(i) * size)})
	}
	return steps
}

// label formats the number of a step.
func label(v float64) string {
	if v == math.Trunc(v) {
		return number(v, 0)
	}
	return fmt.Sprintf("%g", math.Round(v*1e6)/1e6)
}
