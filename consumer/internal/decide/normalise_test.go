package decide

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// what is normalise said shortly: of two that fit, the earlier in the text, and then the one to the
// left.
var what = regexp.MustCompile(`[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|0x[0-9a-fA-F]+|\b[0-9a-fA-F]*[0-9][0-9a-fA-F]{7,}\b|"[^"]*"|'[^']*'|[0-9]+`)

func TestNormaliseIsItsRegularExpression(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		piece := rapid.SampledFrom([]string{
			"a", "f", "F", "g", "_", "0", "7", "x", "0x", "-", " ", "\"", "'", "\n", "é", "\xff", "deadbeef", "1deadbeef", "deadbee1", "d1eadbee", "12345678",
			"01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-", "-bcce-b302099a8057", "order 'a b'", "HTTP 503",
		})
		text := strings.Join(rapid.SliceOf(piece).Draw(t, "pieces"), "")
		if got, want := normalise(text), what.ReplaceAllString(text, "#"); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	})
}

func FuzzNormalise(f *testing.F) {
	f.Add("dial tcp 10.0.0.7:5432: order '12' (01890a5d-ac96-774b-bcce-b302099a8057) 0xBEEF deadbeef1")
	f.Fuzz(func(t *testing.T, text string) {
		if got, want := normalise(text), what.ReplaceAllString(text, "#"); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	})
}

func BenchmarkNormalise(b *testing.B) {
	const text = "get https://api.example.com/orders/123456: read tcp 10.0.0.7:43210->10.0.0.9:443: i/o timeout (request 01890a5d-ac96-774b-bcce-b302099a8057)"
	b.Run("written out", func(b *testing.B) {
		for b.Loop() {
			normalise(text)
		}
	})
	b.Run("regexp", func(b *testing.B) {
		for b.Loop() {
			what.ReplaceAllString(text, "#")
		}
	})
}
