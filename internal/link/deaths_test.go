package link

import (
	"bytes"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

func text(name, value string) []byte { return entry(name, 'S', sized([]byte(value))) }

// died is what RabbitMQ 4 adds to a message that was dead-lettered once.
func died() []byte {
	death := slices.Concat(
		entry("count", 'l', make([]byte, 8)), text("reason", "expired"), text("queue", "orders-retry-10s"), entry("time", 'T', make([]byte, 8)),
		text("exchange", ""), entry("routing-keys", 'A', sized(append([]byte{'S'}, sized([]byte("orders-retry-10s"))...))),
	)
	return slices.Concat(
		entry("x-death", 'A', sized(append([]byte{'F'}, sized(death)...))),
		text("x-first-death-exchange", ""), text("x-first-death-queue", "orders-retry-10s"), text("x-first-death-reason", "expired"),
		text("x-last-death-exchange", ""), text("x-last-death-queue", "orders-retry-10s"), text("x-last-death-reason", "expired"),
	)
}

// readOn returns what the library reads of a stream on a link for this use.
func readOn(t interface{ Fatal(...any) }, use use, stream io.Reader) []byte {
	r := pipe(stream)
	r.use = use
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestAConsumerDoesNotReadOfDeaths(t *testing.T) {
	one, two := text("one", "1"), entry("two", 'B', []byte{2})
	large := text("large", string(make([]byte, 2*readAhead)))
	illegible := entry("odd", '?', nil)
	aside := entry(transport.HeaderIllegible, 'x', sized(illegible))
	for name, test := range map[string]struct{ table, left []byte }{
		"alone":                   {died(), nil},
		"first":                   {slices.Concat(died(), one, two), slices.Concat(one, two)},
		"last":                    {slices.Concat(one, two, died()), slices.Concat(one, two)},
		"between":                 {slices.Concat(one, died(), two), slices.Concat(one, two)},
		"in two places":           {slices.Concat(text("x-first-death-queue", "q"), one, text("x-death", "no list"), two), slices.Concat(one, two)},
		"of names that are alike": {slices.Concat(text("x-deaths", "1"), text("x-first-death", "2"), text("my-x-death", "3")), slices.Concat(text("x-deaths", "1"), text("x-first-death", "2"), text("my-x-death", "3"))},
		"nested":                  {entry("mine", 'F', sized(died())), entry("mine", 'F', sized(died()))},
		"beside large headers":    {slices.Concat(large, died(), one), slices.Concat(large, one)},
		"beside illegible ones":   {slices.Concat(one, died(), illegible), slices.Concat(one, aside)},
		"that are illegible":      {slices.Concat(one, entry("x-death", 'A', nested('A', 40)), two), slices.Concat(one, two)},
	} {
		around := func(table []byte) []byte {
			return slices.Concat(framed(1, make([]byte, 60)), framed(2, content(table)), framed(3, []byte("body")), framed(2, content(one)), framed(8, nil))
		}
		stream, want := around(test.table), around(test.left)
		for how, r := range map[string]io.Reader{"at once": bytes.NewReader(stream), "byte by byte": iotest.OneByteReader(bytes.NewReader(stream))} {
			if got := readOn(t, toConsume, r); !bytes.Equal(got, want) {
				t.Errorf("%s, %s: got %q, want %q", name, how, cutTo(got, 400), cutTo(want, 400))
			}
		}
	}
}

func TestOthersReadOfDeaths(t *testing.T) {
	stream := framed(2, content(slices.Concat(text("one", "1"), died())))
	for _, use := range []use{toPublish, toRead} {
		if got := readOn(t, use, bytes.NewReader(stream)); !bytes.Equal(got, stream) {
			t.Errorf("use %d: got %q", use, got)
		}
	}
}

// Whatever headers a message has, and in whatever order, those that tell of no deaths arrive.
func TestOnlyDeathsAreLeftOut(t *testing.T) {
	deaths := []string{"x-death", "x-first-death-queue", "x-first-death-reason", "x-last-death-exchange", "x-last-death-anything"}
	others := []string{"a", "x-dead", "retry-attempts", "bunnicula-history", "x-delivery-count", "a-name-that-is-longer-than-thirty-two-bytes"}
	rapid.Check(t, func(t *rapid.T) {
		var stream, want []byte
		for range rapid.IntRange(1, 4).Draw(t, "messages") {
			var table, left []byte
			dead := 0
			for range rapid.IntRange(0, 12).Draw(t, "headers") {
				value := string(rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "value"))
				if dead < maxDeaths && rapid.Bool().Draw(t, "death") {
					table = append(table, text(rapid.SampledFrom(deaths).Draw(t, "name"), value)...)
					dead++
					continue
				}
				header := text(rapid.SampledFrom(others).Draw(t, "name"), value)
				table, left = append(table, header...), append(left, header...)
			}
			stream, want = append(stream, framed(2, content(table))...), append(want, framed(2, content(left))...)
		}
		if got := readOn(t, toConsume, bytes.NewReader(stream)); !bytes.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}
