package main

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestATableOnATerminalFits(t *testing.T) {
	for _, name := range []string{"orders", strings.Repeat("very-long-", 12) + "end", strings.Repeat("ü", 100)} {
		tab := table{heads: []string{"CONSUMER", "QUEUE", ">READY", ">UNACKED", ">CONSUMERS", ">OLDEST", "NOTE"}}
		tab.add(name, "error "+strings.Repeat("e", 99), "12345678", "2", "3", "23h59m", "no consumer")
		var fit, whole strings.Builder
		tab.print(&fit, lineWidth)
		tab.print(&whole, 0)
		for line := range strings.Lines(fit.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > lineWidth {
				t.Errorf("%d characters: %s", n, line)
			}
		}
		if !strings.Contains(whole.String(), name) {
			t.Errorf("shortened where nobody looks:\n%s", whole.String())
		}
	}
}

func TestALineIsAsLongAsAWideTerminalIs(t *testing.T) {
	for _, test := range []struct {
		terminal
		want int
	}{
		{terminal{shows: true, columns: 132}, 132},
		{terminal{shows: true, columns: 60}, lineWidth},
		{terminal{shows: true}, lineWidth},
		{terminal{columns: 132}, 0},
	} {
		if got := (&app{terminal: test.terminal}).width(); got != test.want {
			t.Errorf("%+v: %d, want %d", test.terminal, got, test.want)
		}
	}
}

func TestAnAgeHasTwoUnits(t *testing.T) {
	now := time.Now()
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 59 * time.Second: "59s", 61 * time.Second: "1m1s", 3*time.Hour + 5*time.Minute: "3h5m", 50 * time.Hour: "2d2h",
	} {
		at := now.Add(-d)
		if got := age(now, &at); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
	if got := age(now, nil); got != "" {
		t.Errorf("an age that is not known: %q", got)
	}
}

func TestTheMiddleIsLeftOut(t *testing.T) {
	for _, test := range []struct {
		text string
		n    int
		want string
	}{{"abcdef", 6, "abcdef"}, {"abcdef", 5, "ab…ef"}, {"abcdef", 4, "ab…f"}, {"", 3, ""}} {
		if got := shorten(test.text, test.n); got != test.want {
			t.Errorf("%q to %d: %q, want %q", test.text, test.n, got, test.want)
		}
	}
}

func TestTextIsFoldedAndKept(t *testing.T) {
	text := strings.Repeat("some words ", 40) + strings.Repeat("x", 100)
	folded := fold(text, "    ")
	if got := strings.Join(strings.Fields(folded), " "); got != strings.Join(strings.Fields(text), " ") {
		t.Errorf("words were lost: %s", got)
	}
	for line := range strings.Lines(folded) {
		if !strings.HasPrefix(line, "    ") || len(strings.TrimSuffix(line, "\n")) > lineWidth && strings.Contains(strings.TrimSpace(line), " ") {
			t.Errorf("the line %q", line)
		}
	}
}

func TestNoColourWhereNobodyWantsIt(t *testing.T) {
	for _, test := range []struct {
		shows bool
		env   map[string]string
		want  string
	}{
		{true, nil, red + "!" + "\x1b[0m"},
		{false, nil, "!"},
		{true, map[string]string{"NO_COLOR": "1"}, "!"},
		{true, map[string]string{"TERM": "dumb"}, "!"},
	} {
		a := &app{terminal: terminal{shows: test.shows, getenv: func(name string) string { return test.env[name] }}}
		if got := a.paint(red, "!"); got != test.want {
			t.Errorf("%v %v: %q, want %q", test.shows, test.env, got, test.want)
		}
	}
}
