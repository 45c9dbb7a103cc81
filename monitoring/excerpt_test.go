package monitoring_test

import (
	"testing"
	"unicode/utf8"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

func TestAnExcerptIsCutAtARune(t *testing.T) {
	for _, c := range []struct {
		body string
		n    int
		want string
	}{
		{"abc", 0, ""},
		{"abc", -1, ""},
		{"abc", 2, "ab"},
		{"abc", 3, "abc"},
		{"abc", 100, "abc"},
		{"", 100, ""},
		{"né", 2, "n"},
		{"né", 3, "né"},
		{"€", 2, ""},
		{"a😀b", 4, "a"},
		{"a😀b", 5, "a😀"},
		{"line\nbreak", 100, "line\nbreak"},
		{"\xff\x00", 100, `"\xff\x00"`},
		{"ab\xe2\x82", 100, `"ab\xe2\x82"`}, // the body itself ends in the middle of a rune
		{"ab\xff", 2, "ab"},                 // bytes that are not shown do not matter
		{"\x82\x82\x82\x82\x82", 4, `"\x82\x82\x82\x82"`},
	} {
		if got := (monitoring.Delivery{Body: []byte(c.body)}).Excerpt(c.n); got != c.want {
			t.Errorf("%d bytes of %q are %q; want %q", c.n, c.body, got, c.want)
		}
	}
}

func FuzzAnExcerptIsAlwaysTextAndNeverLongerThanAsked(f *testing.F) {
	f.Add([]byte("a😀b"), 3)
	f.Add([]byte("\xff\xfe"), 1)
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		got := monitoring.Delivery{Body: body}.Excerpt(n)
		if !utf8.ValidString(got) {
			t.Errorf("%q is not UTF-8", got)
		}
		if utf8.Valid(body) && len(got) > max(n, 0) {
			t.Errorf("%d bytes of %q are %q", n, body, got)
		}
	})
}
