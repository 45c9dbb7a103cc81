package console

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestADiffHasTheLinesOfBothTexts(t *testing.T) {
	text := rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{"", "a", "b", "  c", "aé", "aè", "x\u202e", "…"}), 0, 30), func(all []string) string { return strings.Join(all, "\n") })
	rapid.Check(t, func(t *rapid.T) {
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		d := diffOf("text", a, b)
		if d.Same != (a == b) || d.Same && len(d.Lines) > 0 || d.More || d.Cut {
			t.Fatalf("%+v", d)
		}
		gone, come := of(d, "-"), of(d, "+")
		differ := !slices.Equal(lineList(a), lineList(b))
		if differ && len(d.Lines) == 0 || !differ && len(gone)+len(come) > 0 {
			t.Fatalf("%q and %q: %+v", a, b, d.Lines)
		}
		for sign, in := range map[string]string{"-": a, "+": b} {
			if rest := lineList(in); !inOrder(of(d, sign), rest) {
				t.Fatalf("%q and %q: %+v are not lines of %q", a, b, d.Lines, rest)
			}
		}
		if !strings.Contains(signs(d), "…") { // each line is shown
			if !slices.Equal(of(d, "-"), lineList(a)) && len(d.Lines) > 0 || !slices.Equal(of(d, "+"), lineList(b)) && len(d.Lines) > 0 {
				t.Fatalf("%q and %q: %+v", a, b, d.Lines)
			}
		}
	})
}

// of returns the lines of one text, as far as they are shown.
func of(d textDiff, sign string) (all []string) {
	for _, l := range d.Lines {
		if l.Sign == sign || l.Sign == " " {
			all = append(all, string(l.Before+l.Differs+l.Rest))
		}
	}
	return all
}

func signs(d textDiff) (all string) {
	for _, l := range d.Lines {
		all += l.Sign
	}
	return all
}

func lineList(text string) []string { return linesOf(whole(text)) }

func inOrder(some, all []string) bool {
	for _, s := range some {
		at := slices.Index(all, s)
		if at < 0 {
			return false
		}
		all = all[at+1:]
	}
	return true
}

func TestWhatDiffersWithinALineIsMarked(t *testing.T) {
	long := strings.Repeat("ä", 500)
	minus, plus := within(long+"x1"+long, long+"x2é"+long)
	if minus.Differs != "1" || plus.Differs != "2é" || minus.Before != plus.Before || len(minus.Before) > diffAround+10 || len(minus.Rest) > diffAround+10 {
		t.Errorf("%+v\n%+v", minus, plus)
	}
	if minus, plus := within("é", "è"); minus.Differs != "é" || plus.Differs != "è" { // they share a byte
		t.Errorf("%+v\n%+v", minus, plus)
	}
}

func TestBodiesAreComparedAsWhatTheyAre(t *testing.T) {
	for name, c := range map[string]struct {
		a, b, as string
		same     bool
		shows    string
	}{
		"JSON":       {`{"n":9007199254740993,"x":1}`, `{"n":9007199254740992,"x":1}`, "json", false, "9007199254740993"},
		"spaces":     {`{"n":1}`, `{ "n": 1 }`, "json", true, ""},
		"text":       {"a\nb", "a\nc", "text", false, "c"},
		"bytes":      {"a\xff", "a\xfe", "hex", false, "61 ff"},
		"same bytes": {"a\xff", "a\xff", "hex", true, ""},
		"long bytes": {strings.Repeat("\xff", 20<<10) + "a", strings.Repeat("\xff", 20<<10) + "b", "hex", false, ""},
		"no end":     {"a", "a\n", "text", false, ""},
		"empty":      {"", "a", "text", false, "a"},
	} {
		d := diffBodies([]byte(c.a), []byte(c.b))
		shown := ""
		for _, l := range d.Lines {
			shown += l.Sign + string(l.Before+l.Differs+l.Rest) + "\n"
		}
		if d.As != c.as || d.Same != c.same || !strings.Contains(shown, c.shows) || (c.shows == "") != (shown == "") || d.Cut != (name == "long bytes") {
			t.Errorf("%s: %+v\n%s", name, d, shown)
		}
	}
}

// hardPairs are pairs of texts that are hard to compare.
func hardPairs() map[string][2]string {
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // it is to be the same each time
	noise := func(n int, of string, every int) string {
		var b strings.Builder
		for i := range n {
			if every > 0 && i%every == every-1 {
				b.WriteByte('\n')
				continue
			}
			b.WriteByte(of[random.IntN(len(of))])
		}
		return b.String()
	}
	return map[string][2]string{
		"lines of one letter":     {noise(64<<10, "ab", 2), noise(64<<10, "ab", 2)},
		"empty lines":             {strings.Repeat("\n", 64<<10), strings.Repeat("\nx\n", 21<<10)},
		"one line":                {noise(64<<10, "ab", 0), noise(64<<10, "ab", 0)},
		"one line that repeats":   {strings.Repeat("ab", 32<<10), strings.Repeat("ba", 32<<10)},
		"long lines":              {noise(64<<10, "abc", 1000), noise(64<<10, "abc", 1000)},
		"numbers in JSON":         {"[" + strings.Repeat("1,", 32<<10) + "1]", "[" + strings.Repeat("2,1,", 16<<10) + "1]"},
		"brackets in JSON":        {strings.Repeat("[", 500) + strings.Repeat("]", 500), strings.Repeat("[", 499) + strings.Repeat("]", 499)},
		"many brackets":           {"[" + strings.Repeat("[[[]]],", 9000) + "1]", "[" + strings.Repeat("[[],[]],", 8000) + "1]"},
		"bytes":                   {noise(64<<10, "\xff\xfe\x00", 0), noise(64<<10, "\xff\xfe\x00", 0)},
		"a megabyte":              {noise(1<<20, "ab", 2), noise(1<<20, "ab", 2)},
		"lines that begin so":     {strings.Repeat(strings.Repeat("x", 500)+"1\n", 128), strings.Repeat(strings.Repeat("x", 500)+"2\n", 128)},
		"script":                  {"</pre><script>alert(1)</script>", "</pre><script>alert(2)</script>"},
		"direction and the other": {"\u202eabc\x00\x1b[31m", "\u202eabd\x00\x1b[31m"},
	}
}

func TestAHostilePairIsComparedInNoTime(t *testing.T) {
	for name, pair := range hardPairs() {
		began := time.Now()
		d := diffBodies([]byte(pair[0]), []byte(pair[1]))
		took := time.Since(began)
		size := 0
		for _, l := range d.Lines {
			size += len(l.Before) + len(l.Differs) + len(l.Rest)
		}
		t.Logf("%s: %v, %d lines, %d bytes", name, took, len(d.Lines), size)
		if took > time.Second && !amqptest.Raced() {
			t.Errorf("%s: it took %v", name, took)
		}
		if len(d.Lines) > diffLines || d.Same || len(d.Lines) == 0 {
			t.Errorf("%s: %d lines, same %v", name, len(d.Lines), d.Same)
		}
	}
}
