package jobtree

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestAPathSaysTheWayFromTheStart(t *testing.T) {
	var start Path
	h := HashOf("berlin")
	continued := start.Child(4312)
	for range 57 {
		continued = continued.Again()
	}
	tests := []struct {
		path          Path
		text          string
		depth, agains int
	}{
		{start, "", 0, 0},
		{start.Again(), "", 0, 0},
		{start.Child(4312), "4312", 1, 0},
		{start.Child(4312).Child(17), "4312.17", 2, 0},
		{continued, "4312~57", 1, 57},
		{continued.Child(3), "4312~57.3", 2, 0},
		{continued.Child(3).Again(), "4312~57.3~1", 2, 1},
		{start.Keyed(h), "kfb38a93fd89e1a5f", 1, 0},
		{start.Keyed(h).Again().Again().Keyed(h), "kfb38a93fd89e1a5f~2.kfb38a93fd89e1a5f", 2, 0},
		{start.Child(MaxNumber), "2147483647", 1, 0},
	}
	for _, test := range tests {
		if got := test.path.String(); got != test.text {
			t.Errorf("the path is %q; want %q", got, test.text)
		}
		if test.path.Depth() != test.depth || test.path.Agains() != test.agains {
			t.Errorf("%q has depth %d and %d continuations; want %d and %d",
				test.text, test.path.Depth(), test.path.Agains(), test.depth, test.agains)
		}
		parsed, err := Parse(test.text)
		if err != nil || parsed != test.path {
			t.Errorf("Parse(%q) is %#v, %v; want %#v", test.text, parsed, err, test.path)
		}
	}
}

func TestParseSaysWhichElementIsWrong(t *testing.T) {
	tests := []struct{ text, complaint string }{
		{".", `path ".": element 1 is "";`},
		{"1.", `path "1.": element 2 is "";`},
		{"1..2", `element 2 is ""`},
		{"1.0", `element 2 is "0"; want a number from 1 to 2147483647`},
		{"01", `element 1 is "01"`},
		{"+1", `element 1 is "+1"`},
		{"-1", `element 1 is "-1"`},
		{"1_0", `element 1 is "1_0"`},
		{"2147483648", `element 1 is "2147483648"`},
		{"99999999999999999999", `element 1 is`},
		{"~1", `element 1 is "~1"`},
		{"1~", `element 1 is "1~"`},
		{"1~0", `element 1 is "1~0"`},
		{"1~01", `element 1 is "1~01"`},
		{"1~2~3", `element 1 is "1~2~3"`},
		{"k", `element 1 is "k"`},
		{"kfb38a93fd89e1a5", `element 1 is "kfb38a93fd89e1a5"`},
		{"kfb38a93fd89e1a5ff", `element 1 is`},
		{"kFB38A93FD89E1A5F", `element 1 is "kFB38A93FD89E1A5F"`},
		{"kfb38a93fd89e1a5g", `element 1 is`},
		{"1\x00", `path "1\x00": element 1 is "1\x00"`},
		{strings.Repeat("1.", MaxLength/2) + "1", `has 1025 bytes; the longest has 1024`},
	}
	for _, test := range tests {
		p, err := Parse(test.text)
		if err == nil || !strings.Contains(err.Error(), test.complaint) {
			t.Errorf("Parse(%.40q): %v; want %s", test.text, err, test.complaint)
		}
		if p != (Path{}) {
			t.Errorf("Parse(%.40q) returns %q with its error", test.text, p)
		}
	}
}

func TestKeysAreSortedAndDistinct(t *testing.T) {
	keys := string(Keys([]Hash{{2}, {1}, {2}, {1, 0, 0, 0, 0, 0, 0, 9}}))
	want := "\x01\x00\x00\x00\x00\x00\x00\x00" + "\x01\x00\x00\x00\x00\x00\x00\x09" + "\x02\x00\x00\x00\x00\x00\x00\x00"
	if keys != want {
		t.Errorf("keys are %q; want %q", keys, want)
	}
}

// FuzzParse also runs on drawn texts as a plain test: see below.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "1", "4312~57.3", "kfb38a93fd89e1a5f~2.1", "1.0", "~1"} {
		f.Add(text)
	}
	f.Fuzz(parsedAgain)
}

func TestWhatParseTakesIsWrittenTheSame(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const letters = "0123456789.~kaf\xff"
	for range 200_000 {
		text := make([]byte, random.IntN(24))
		for i := range text {
			text[i] = letters[random.IntN(len(letters))]
		}
		parsedAgain(t, string(text))
	}
}

// parsedAgain checks that a text is refused, or is the one text of the node whose way it says.
func parsedAgain(t *testing.T, text string) {
	t.Helper()
	p, err := Parse(text)
	if err != nil {
		return
	}
	var built Path
	for _, e := range p.elements() {
		if e.number > 0 {
			built = built.Child(e.number)
		} else {
			built = built.Keyed(e.key)
		}
		for range min(e.agains, 1000) {
			built = built.Again()
		}
		if e.agains > 1000 {
			return // that would take long
		}
	}
	if built != p || built.String() != text {
		t.Fatalf("Parse(%q) is %#v; built anew it is %#v", text, p, built)
	}
}
