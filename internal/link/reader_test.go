package link

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// entry encodes a name with a value.
func entry(name string, kind byte, value []byte) []byte {
	return append(append(append([]byte{byte(len(name))}, name...), kind), value...)
}

func sized(b []byte) []byte { return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...) }

// nested encodes a value of kind F or A with so many levels of nesting.
func nested(kind byte, depth int) []byte {
	inside := []byte{}
	for range depth {
		if kind == 'F' {
			inside = sized(entry("t", kind, append([]byte(nil), orNone(inside)...)))
		} else {
			inside = sized(append([]byte{kind}, orNone(inside)...))
		}
	}
	return orNone(inside)
}

func orNone(b []byte) []byte {
	if len(b) == 0 {
		return sized(nil)
	}
	return b
}

// content encodes a content header's payload, with a content type in front of the headers and a
// delivery mode behind them.
func content(table []byte) []byte {
	// The flags are for content type, headers and delivery mode.
	b := append([]byte{0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7}, 0xb0, 0)
	b = append(b, 4)
	b = append(b, "text"...)
	return append(append(b, sized(table)...), 2)
}

func framed(kind byte, payload []byte) []byte {
	return append(append([]byte{kind, 0, 1}, sized(payload)...), 0xce)
}

// pipe returns a reader of these bytes that looks at all headers.
func pipe(r io.Reader) *reader {
	// The socket has no sender.
	s := &socket{conn: source{r: r}, gone: make(chan struct{})}
	s.in = bufio.NewReader((*reading)(s))
	all := newReader(s, toConsume)
	all.least = 0
	return all
}

type source struct {
	net.Conn // nil: only Read and Close are called
	r        io.Reader
}

func (r source) Read(p []byte) (int, error) { return r.r.Read(p) }
func (source) Close() error                 { return nil }

func TestWhatTheLibraryReadsIsNotTouched(t *testing.T) {
	good := slices.Concat(
		entry("text", 'S', sized([]byte("value"))), entry("deep", 'F', nested('F', 31)), entry("list", 'A', nested('A', 31)), entry("nil", 'V', nil),
		entry("t", 't', []byte{1}), entry("int", 'I', []byte{0, 0, 0, 1}), entry("long", 'l', make([]byte, 8)), entry("dec", 'D', make([]byte, 5)), entry("bytes", 'x', sized([]byte{1, 2})),
	)
	stream := slices.Concat(framed(1, []byte("method")), framed(2, content(good)), framed(3, bytes.Repeat([]byte("body"), 3000)), framed(8, nil), framed(2, []byte("short")), framed(2, content(nil)))
	for name, r := range map[string]io.Reader{"at once": bytes.NewReader(stream), "byte by byte": iotest.OneByteReader(bytes.NewReader(stream))} {
		got, err := io.ReadAll(pipe(r))
		if err != nil || !bytes.Equal(got, stream) {
			t.Errorf("%s: %d of %d bytes, %v", name, len(got), len(stream), err)
		}
	}
}

func TestWhatTheLibraryDoesNotReadIsSetAside(t *testing.T) {
	one, two := entry("one", 'S', sized([]byte("1"))), entry("two", 'B', []byte{2})
	many := bytes.Repeat(entry("n", 'V', nil), maxEntries)
	for name, test := range map[string]struct{ table, good, bad []byte }{
		"a table too deep":        {slices.Concat(one, entry("deep", 'F', nested('F', 32)), two), slices.Concat(one, two), entry("deep", 'F', nested('F', 32))},
		"a list too deep":         {entry("deep", 'A', nested('A', 32)), nil, entry("deep", 'A', nested('A', 32))},
		"a type nobody knows":     {slices.Concat(one, entry("odd", '?', nil), two), one, slices.Concat(entry("odd", '?', nil), two)},
		"an entry without end":    {slices.Concat(one, []byte{200, 'x'}), one, []byte{200, 'x'}},
		"a list with a wrong end": {slices.Concat(entry("a", 'A', sized([]byte{'I', 0})), two), two, entry("a", 'A', sized([]byte{'I', 0}))},
		"too many":                {slices.Concat(many, one), many[:len(many)-len(entry("n", 'V', nil))], slices.Concat(one, entry("n", 'V', nil))},
		"too many inside":         {slices.Concat(one, entry("many", 'F', sized(slices.Concat(many, one)))), one, entry("many", 'F', sized(slices.Concat(many, one)))},
	} {
		want := slices.Concat(test.good, entry(transport.HeaderIllegible, 'x', sized(test.bad)))
		got, err := io.ReadAll(pipe(bytes.NewReader(framed(2, content(test.table)))))
		if err != nil || !bytes.Equal(got, framed(2, content(want))) {
			t.Errorf("%s: got %q, %v", name, cutTo(got, 200), err)
		}
	}
}

func cutTo(b []byte, n int) []byte { return b[:min(len(b), n)] }

// Whatever the bytes are, the reader does not panic or loop, and returns the error that ended the
// reading.
func TestAnyBytesPassThrough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		stream := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
		if rapid.Bool().Draw(t, "framed") {
			stream = framed(2, append(content(nil)[:rapid.IntRange(0, 20).Draw(t, "kept")], stream...))
		}
		got, err := io.ReadAll(pipe(io.MultiReader(bytes.NewReader(stream), iotest.ErrReader(net.ErrClosed))))
		if !errors.Is(err, net.ErrClosed) {
			t.Fatalf("reading ended with %v", err)
		}
		if !bytes.Equal(got, stream) && !strings.Contains(string(got), transport.HeaderIllegible) {
			t.Fatalf("of %q came %q", stream, got)
		}
	})
}
