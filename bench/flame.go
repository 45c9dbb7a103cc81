package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/google/pprof/profile"
)

// stack is a function with its callers, and the functions that it called. It combines the stacks of
// all samples.
type stack struct {
	Function string
	CPU      int64 // nanoseconds, including the functions that it called
	Self     int64 // of the function itself
	Calls    []*stack
}

// fold makes one tree of the samples of a CPU profile, the largest CPU first.
func fold(p *profile.Profile) (*stack, error) {
	cpu := slices.IndexFunc(p.SampleType, func(t *profile.ValueType) bool { return t.Type == "cpu" && t.Unit == "nanoseconds" })
	if cpu < 0 {
		return nil, fmt.Errorf("a profile of the CPU has nanoseconds, this one has none")
	}
	all := &stack{Function: "all"}
	for _, s := range p.Sample {
		took, at := s.Value[cpu], all
		at.CPU += took
		for _, location := range slices.Backward(s.Location) {
			for _, line := range slices.Backward(location.Line) { // inlined calls
				name := "unknown"
				if line.Function != nil {
					name = line.Function.Name
				}
				at = at.call(name)
				at.CPU += took
			}
		}
		at.Self += took
	}
	all.sort()
	return all, nil
}

func (s *stack) call(function string) *stack {
	for _, c := range s.Calls {
		if c.Function == function {
			return c
		}
	}
	c := &stack{Function: function}
	s.Calls = append(s.Calls, c)
	return c
}

func (s *stack) sort() {
	slices.SortFunc(s.Calls, func(a, b *stack) int {
		return cmp.Or(cmp.Compare(b.CPU, a.CPU), strings.Compare(a.Function, b.Function))
	})
	for _, c := range s.Calls {
		c.sort()
	}
}

// owner says to whom the code of a function belongs.
type owner int

const (
	thisLibrary owner = iota
	theClient
	theRuntime
	theSystem
	theRest
	owners
)

// ownerLooks are light enough for dark letters, on a light page and on a dark one.
var ownerLooks = [owners]struct{ colour, name string }{
	thisLibrary: {"#7db4ec", "this library"},
	theClient:   {"#f5b967", "client library"},
	theRuntime:  {"#c4c8cf", "Go's runtime"},
	theSystem:   {"#ef9a94", "system calls"},
	theRest:     {"#a3d696", "the rest: standard library, handler"},
}

// kernelCalls matches the runtime's own names for system calls.
var kernelCalls = regexp.MustCompile(`^(internal/(runtime/)?)?syscall[./]|^runtime\.(futex|usleep|madvise|sysMmap|munmap|tgkill|write1|read|epollwait|sched_getaffinity)$`)

func ownerOf(function string) owner {
	const us = "github.com/bunnicula-go/bunnicula/"
	switch {
	case strings.HasPrefix(function, us):
		return thisLibrary
	case strings.HasPrefix(function, clientLibrary+"."):
		return theClient
	case kernelCalls.MatchString(function):
		return theSystem
	// A name without a dot is that of some assembler.
	case strings.HasPrefix(function, "runtime."), strings.HasPrefix(function, "internal/runtime/"), !strings.Contains(function, "."):
		return theRuntime
	}
	return theRest
}

// shares adds the CPU of the functions themselves, by owner.
func (s *stack) shares(sum *[owners]int64) {
	sum[ownerOf(s.Function)] += s.Self
	for _, c := range s.Calls {
		c.shares(sum)
	}
}

// Measures of the flame graph, in pixels.
const (
	flameWidth  = 1100
	flameMargin = 10
	flameTop    = 84
	flameRow    = 18
	flameLetter = 6.7 // the width of one; all have the same width
	flameBytes  = 150 << 10
	flameLeast  = 0.003 // a fraction of all the CPU; less is left out
)

// flame draws a CPU profile. The functions that a function called are below it, each as wide as its
// CPU.
func flame(p *profile.Profile, title, under string) (string, error) {
	all, err := fold(p)
	if err != nil {
		return "", err
	}
	least := flameLeast
	svg := all.draw(title, under, least)
	for len(svg) > flameBytes {
		least *= 1.5
		svg = all.draw(title, under, least)
	}
	return svg, nil
}

const flameStyle = `.page{fill:#ffffff} .head{fill:#1b1d21} .dim{fill:#5a5f69} .box{stroke:#ffffff;stroke-width:0.8} .in{fill:#16181c;font:11px monospace}
@media (prefers-color-scheme: dark) {.page{fill:#17191e} .head{fill:#eceef2} .dim{fill:#a9aeb8} .box{stroke:#17191e}}`

func (s *stack) draw(title, under string, least float64) string {
	var boxes strings.Builder
	depth := 0
	if s.CPU > 0 {
		depth = s.drawAt(&boxes, flameMargin, 0, s.CPU, int64(least*float64(s.CPU)))
	}
	height := flameTop + flameRow*depth + flameMargin

	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">`+"\n", flameWidth, height, flameWidth, height)
	fmt.Fprintf(&b, "<style>%s</style>\n", flameStyle)
	fmt.Fprintf(&b, `<rect class="page" width="%d" height="%d"/>`+"\n", flameWidth, height)
	fmt.Fprintf(&b, `<text class="head" x="%d" y="24" font-size="16" font-weight="bold">%s</text>`+"\n", flameMargin, escape(title))
	fmt.Fprintf(&b, `<text class="dim" x="%d" y="44">%s; what took less than %.2g %% is left out</text>`+"\n", flameMargin, escape(under), least*100)
	s.drawLegend(&b)
	b.WriteString(boxes.String())
	b.WriteString("</svg>\n")
	return b.String()
}

// drawLegend shows the colour of each owner, and the CPU of the owner's functions themselves.
func (s *stack) drawLegend(b *strings.Builder) {
	var took [owners]int64
	s.shares(&took)
	x := flameMargin
	for o, look := range ownerLooks {
		text := fmt.Sprintf("%s %.1f %%", look.name, percent(took[o], s.CPU))
		fmt.Fprintf(b, `<rect x="%d" y="57" width="12" height="12" rx="2" fill="%s"/><text class="head" x="%d" y="67">%s</text>`+"\n", x, look.colour, x+17, escape(text))
		x += 17 + 7*len(text) + 16
	}
}

// drawAt draws a function and all that it called, and returns the depth.
func (s *stack) drawAt(b *strings.Builder, x float64, row int, all, least int64) (depth int) {
	if s.CPU < least || s.CPU == 0 {
		return 0
	}
	width := func(cpu int64) float64 { return float64(cpu) / float64(all) * (flameWidth - 2*flameMargin) }
	wide, y := width(s.CPU), flameTop+flameRow*row
	fmt.Fprintf(b, `<g><title>%s: %s s, %.1f %%`, escape(s.Function), seconds(s.CPU), percent(s.CPU, all))
	if s.Self > 0 && s.Self < s.CPU {
		fmt.Fprintf(b, `, itself %s s`, seconds(s.Self))
	}
	colour := ownerLooks[ownerOf(s.Function)].colour
	if row == 0 {
		colour = "#e4e6ea"
	}
	fmt.Fprintf(b, `</title><rect class="box" x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`, x, y, wide, flameRow, colour)
	label := shortName(s.Function)
	if row == 0 {
		label = fmt.Sprintf("all: %s s of CPU", seconds(s.CPU))
	}
	if label = fitted(label, wide-6); label != "" {
		fmt.Fprintf(b, `<text class="in" x="%.1f" y="%d">%s</text>`, x+3, y+13, escape(label))
	}
	b.WriteString("</g>\n")
	for _, c := range s.Calls {
		depth = max(depth, c.drawAt(b, x, row+1, all, least))
		x += width(c.CPU)
	}
	return depth + 1
}

func seconds(nanoseconds int64) string { return fmt.Sprintf("%.2f", float64(nanoseconds)/1e9) }

func percent(part, of int64) float64 {
	if of == 0 {
		return 0
	}
	return 100 * float64(part) / float64(of)
}

// shortName returns a function's name with only the last element of its package.
func shortName(function string) string {
	function, _, _ = strings.Cut(function, "[") // type arguments
	return function[strings.LastIndexByte(function, '/')+1:]
}

// alone matches names that say little without the name before them: attempt.func1.
var alone = regexp.MustCompile(`^(func|gowrap|deferwrap)?\d+(\.|$)`)

// fitted shortens a name: first its package, then its receiver, then its end.
func fitted(name string, width float64) string {
	letters := int(width / flameLetter)
	for utf8.RuneCountInString(name) > letters {
		_, rest, more := strings.Cut(name, ".")
		if !more || alone.MatchString(rest) {
			if letters < 5 { // fewer letters say nothing
				return ""
			}
			return string([]rune(name)[:letters-1]) + "…"
		}
		name = rest
	}
	return name
}

// drawFlame draws the CPU profile of a side into a file beside the profile.
func drawFlame(name, title, under string) error {
	text, err := os.ReadFile(name + ".cpu.pprof")
	if err != nil {
		return err
	}
	p, err := profile.Parse(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("%s.cpu.pprof: %w", name, err)
	}
	svg, err := flame(p, title, under)
	if err != nil {
		return fmt.Errorf("%s.cpu.pprof: %w", name, err)
	}
	return os.WriteFile(name+".cpu.svg", []byte(svg), 0o644)
}
