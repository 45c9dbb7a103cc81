package foreign

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCutKeepsWholeRunes(t *testing.T) {
	for _, c := range []struct {
		s    string
		n    int
		want string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "…"}, {"abcdef", 5, "ab…"}, {"äöü", 5, "ä…"}, {"äöü", 4, "…"},
		{"abc", 2, ""}, {"abc", 0, ""}, {"abc", -1, ""}, {"", 0, ""}, {"a\xff", 9, "a\uFFFD"}, {"a\xff\xff\xff\xffb", 5, "a\uFFFDb"}, {"\xff\xffabc", 5, "…"},
	} {
		if got := Cut(c.s, c.n); got != c.want {
			t.Errorf("Cut(%q, %d) is %q, want %q", c.s, c.n, got, c.want)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add("abc", 2)
	f.Add("äöü€😀", 7)
	f.Add("\xff\xfe", 1)
	f.Fuzz(func(t *testing.T, s string, n int) {
		got := Cut(s, n)
		if !utf8.ValidString(got) || len(got) > max(n, 0) {
			t.Errorf("Cut(%q, %d) is %q, %d bytes", s, n, got, len(got))
		}
		if utf8.ValidString(s) && len(s) <= n && got != s {
			t.Errorf("Cut(%q, %d) is %q, and it fits", s, n, got)
		}
	})
}

func TestALineHasNothingThatATerminalObeys(t *testing.T) {
	for _, c := range []struct {
		s    string
		n    int
		want string
	}{
		{"orders", 9, "orders"}, {" orders ", 9, "orders"}, {"a\r\nb\tc", 9, "a  b c"}, {"é€😀", 20, "é€😀"},
		{"\x1b[2J", 9, "·[2J"}, {"a\u202eb", 9, "a·b"}, {"a\x00", 9, "a·"}, {"\xff", 9, "\uFFFD"}, {"\u00a0x", 9, "x"},
		{"abcdef", 5, "ab…"}, {strings.Repeat("a", 1000), 5, "aa…"}, {strings.Repeat("\n", 1000) + "a", 5, "…"}, {"a", 0, ""},
	} {
		if got := Line(c.s, c.n); got != c.want {
			t.Errorf("Line(%.40q, %d) is %q, want %q", c.s, c.n, got, c.want)
		}
	}
	if got := Lines("a\r\n\tb\x1b\xff ", 20); got != "a·\n\tb·\uFFFD " {
		t.Errorf("Lines is %q", got)
	}
	if got := Lines(strings.Repeat("line\n", 1000), 12); got != "line\nline…" {
		t.Errorf("Lines is cut to %q", got)
	}
}

func FuzzLine(f *testing.F) {
	f.Add("abc\x1b[31m", 5)
	f.Add("\xff\xfe\u202e\r\n", 3)
	f.Fuzz(func(t *testing.T, s string, n int) {
		for name, got := range map[string]string{"Line": Line(s, n), "Lines": Lines(s, n)} {
			if !utf8.ValidString(got) || len(got) > max(n, 0) {
				t.Errorf("%s(%q, %d) is %q, %d bytes", name, s, n, got, len(got))
			}
			if bad := strings.IndexFunc(got, func(r rune) bool {
				return visible(r) != r && (name == "Line" || r != '\n' && r != '\t')
			}); bad >= 0 {
				t.Errorf("%s(%q, %d) is %q", name, s, n, got)
			}
		}
	})
}

func TestAPlainNameCostsNothing(t *testing.T) {
	name := "0192f0c1-7a3e-7c55-9a51-5d2f3f6c1a00"
	if n := testing.AllocsPerRun(100, func() { name = Line(name, 255) }); n != 0 {
		t.Errorf("it allocates %v times; want never", n)
	}
}
