package console

import (
	"encoding/hex"
	"strings"
	"unicode/utf8"

	udiff "github.com/aymanbagabas/go-udiff"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

const (
	diffMost    = 256 << 10 // bytes of a text that are compared
	diffLines   = 2000      // lines that are shown
	diffContext = 3         // equal lines around those that differ
	diffAround  = 120       // letters around what differs within a line
	diffWide    = 2000      // bytes of what differs within a line
)

// textDiff is what differs in two texts.
type textDiff struct {
	Same  bool
	Lines []diffLine
	More  bool   // lines that are not shown
	Cut   bool   // only the first 256 KiB of the texts are compared
	As    string // "json", "text", "hex" or "decoded"
}

// diffLine is one line: " " is in both texts, "-" in the first one, "+" in the second one, and "…"
// stands for equal lines that are left out. What differs within it is between two parts.
type diffLine struct {
	Sign                  string
	Before, Differs, Rest part
}

// part is a part of a line: somebody else's text.
type part string

// Text makes the part fit for a page.
func (p part) Text() string { return foreign.Lines(string(p), 2*diffWide) }

// diffOf compares two texts line by line. What it costs is bounded: the library stops looking for
// the best match after 100 differences.
func diffOf(as, a, b string) textDiff {
	d := textDiff{As: as, Same: a == b, Cut: len(a) > diffMost || len(b) > diffMost}
	a, b = a[:min(len(a), diffMost)], b[:min(len(b), diffMost)]
	if d.Same || a == b {
		return d
	}
	a, b = whole(a), whole(b)
	at := 0 // in a: all before it is shown or left out
	edits := udiff.Lines(a, b)
	for i, e := range edits {
		next := len(a)
		if i+1 < len(edits) {
			next = edits[i+1].Start
		}
		if i == 0 {
			d.equal(a[at:e.Start], false, true)
		}
		d.changed(a[e.Start:e.End], e.New)
		d.equal(a[e.End:next], true, i+1 < len(edits))
		at = next
	}
	if len(d.Lines) > diffLines {
		d.Lines, d.More = d.Lines[:diffLines], true
	}
	return d
}

// equal adds lines that are in both texts: those behind and before lines that differ.
func (d *textDiff) equal(text string, behind, before bool) {
	lines := linesOf(text)
	head, tail := 0, len(lines)
	if behind {
		head = min(diffContext, len(lines))
	}
	if before {
		tail = max(head, len(lines)-diffContext)
	}
	for i, line := range lines {
		switch {
		case i < head || i >= tail:
			d.add(diffLine{Sign: " ", Before: part(clip(line, diffWide))})
		case i == head:
			d.add(diffLine{Sign: "…"})
		}
	}
}

// changed adds lines that differ. Of as many lines in both texts each stands for the other.
func (d *textDiff) changed(from, to string) {
	gone, come := linesOf(from), linesOf(to)
	if len(gone) != len(come) {
		for _, line := range gone {
			d.add(diffLine{Sign: "-", Differs: part(clip(line, diffWide))})
		}
		for _, line := range come {
			d.add(diffLine{Sign: "+", Differs: part(clip(line, diffWide))})
		}
		return
	}
	for i := range gone {
		minus, plus := within(gone[i], come[i])
		d.add(minus)
		d.add(plus)
	}
}

func (d *textDiff) add(line diffLine) {
	if len(d.Lines) <= diffLines { // one more says that there are more
		d.Lines = append(d.Lines, line)
	}
}

// within marks what differs within two lines, and leaves out what is far from it.
func within(a, b string) (minus, plus diffLine) {
	head := 0
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	for head > 0 && (head < len(a) && !utf8.RuneStart(a[head]) || head < len(b) && !utf8.RuneStart(b[head])) {
		head--
	}
	tail := 0
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	for tail > 0 && !utf8.RuneStart(a[len(a)-tail]) {
		tail--
	}
	line := func(sign, text string) diffLine {
		before := text[:head]
		if from := head - diffAround; from > 0 {
			for !utf8.RuneStart(before[from]) {
				from++
			}
			before = "…" + before[from:]
		}
		return diffLine{sign, part(before), part(clip(text[head:len(text)-tail], diffWide)), part(clip(text[len(text)-tail:], diffAround))}
	}
	return line("-", a), line("+", b)
}

// clip leaves out what is behind n bytes.
func clip(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n] + "…"
}

// whole ends the last line of a text, if it has no end.
func whole(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}

// linesOf splits a text. Its last line has an end.
func linesOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// diffBodies compares two bodies: as indented JSON if both are JSON, as text, or as a hex dump.
func diffBodies(a, b []byte) textDiff {
	if x, y := indented(a), indented(b); x != nil && y != nil {
		return diffOf("json", string(x), string(y))
	}
	if utf8.Valid(a) && utf8.Valid(b) {
		return diffOf("text", string(a), string(b))
	}
	d := diffOf("hex", hex.Dump(a[:min(len(a), hexPage)]), hex.Dump(b[:min(len(b), hexPage)]))
	d.Cut = len(a) > hexPage || len(b) > hexPage
	d.Same = d.Same && string(a) == string(b)
	return d
}
