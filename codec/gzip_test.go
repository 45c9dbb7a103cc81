package codec_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/bunnicula-go/bunnicula/codec"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func zip(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(body)
	_ = z.Close()
	return b.Bytes()
}

// labelled encodes text, with a content encoding and a header of its own, and remembers what it has
// decoded.
type labelled struct {
	encoding string
	decodes  string // an encoding
	decoded  *publisher.Body
	err      error
	panics   any
}

func (l labelled) Encode(payload any) (publisher.Body, error) {
	if l.panics != nil {
		panic(l.panics)
	}
	return publisher.Body{
		Bytes: []byte(payload.(string)), ContentType: "text/plain", ContentEncoding: l.encoding, Headers: map[string]any{"schema": 7},
	}, l.err
}

func (l labelled) Decode(b publisher.Body, _ any) error {
	if l.panics != nil {
		panic(l.panics)
	}
	if l.decoded != nil {
		*l.decoded = b
	}
	return l.err
}

func (l labelled) DecodesEncoding(name string) bool { return l.decodes != "" && name == l.decodes }

func TestALargeBodyIsCompressedAndASmallOneIsNot(t *testing.T) {
	random := make([]byte, 4000)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	for name, row := range map[string]struct {
		inner    string // its content encoding
		limits   codec.Limits
		text     string
		encoding string
	}{
		"at the default":      {"", codec.Limits{}, strings.Repeat("a", 1024), ""},
		"above it":            {"", codec.Limits{}, strings.Repeat("a", 1025), "gzip"},
		"above another":       {"", codec.Limits{MinBytes: 100}, strings.Repeat("a", 101), "gzip"},
		"never":               {"", codec.Limits{MinBytes: math.MaxInt}, strings.Repeat("a", 9999), ""},
		"not smaller":         {"", codec.Limits{}, string(random), ""},
		"tiny, and larger":    {"", codec.Limits{MinBytes: 1}, "abc", ""},
		"at MaxBytes":         {"", codec.Limits{MaxBytes: 5000}, strings.Repeat("a", 5000), "gzip"},
		"above MaxBytes":      {"", codec.Limits{MaxBytes: 5000}, strings.Repeat("a", 5001), ""},
		"encoded by inner":    {"zstd", codec.Limits{}, strings.Repeat("a", 2000), "zstd, gzip"},
		"text":                {"utf-8", codec.Limits{}, strings.Repeat("a", 2000), "utf-8, gzip"},
		"compressed by inner": {"X-Gzip", codec.Limits{}, strings.Repeat("a", 2000), "X-Gzip"},
	} {
		var got publisher.Body
		c := codec.Gzip(labelled{encoding: row.inner, decodes: row.inner, decoded: &got}, row.limits)
		b, err := c.Encode(row.text)
		if err != nil || b.ContentEncoding != cmp.Or(row.encoding, row.inner) || b.ContentType != "text/plain" || !reflect.DeepEqual(b.Headers, map[string]any{"schema": 7}) {
			t.Errorf("%s: %q, %q, %v, %v", name, b.ContentEncoding, b.ContentType, b.Headers, err)
			continue
		}
		if compressed := strings.HasSuffix(b.ContentEncoding, "gzip"); compressed != (len(b.Bytes) < len(row.text)) {
			t.Errorf("%s: %d bytes of %d", name, len(b.Bytes), len(row.text))
		}
		if name == "compressed by inner" {
			continue // it says so, and is not
		}
		if err := c.Decode(b, nil); err != nil || string(got.Bytes) != row.text || got.ContentEncoding != row.inner || got.ContentType != "text/plain" || !reflect.DeepEqual(got.Headers, b.Headers) {
			t.Errorf("%s: inner got %d bytes, %q, %q: %v", name, len(got.Bytes), got.ContentEncoding, got.ContentType, err)
		}
	}
}

func TestABodyIsDecodedAsItsContentEncodingSays(t *testing.T) {
	text := strings.Repeat("bunnicula ", 1000)
	zipped := string(zip([]byte(text)))
	twice := string(zip([]byte(zipped)))
	for name, row := range map[string]struct {
		encoding, body string
		rest           string // what inner gets
		err            string
	}{
		"none":                 {"", text, "", ""},
		"identity":             {"Identity", text, "Identity", ""},
		"of text":              {"utf-8", text, "utf-8", ""},
		"gzip":                 {"gzip", zipped, "", ""},
		"x-gzip":               {"X-GZIP", zipped, "", ""},
		"of Spring":            {"gzip, UTF-8", zipped, "UTF-8", ""},
		"in gzip":              {"gzip, gzip", twice, "", ""},
		"what inner decodes":   {"zstd", text, "zstd", ""},
		"inside gzip":          {"zstd, gzip", zipped, "zstd", ""},
		"gzip inside that":     {"gzip, zstd", text, "gzip, zstd", ""},
		"unknown":              {"br", text, "", "codec.Gzip: br is not decoded here, only gzip is"},
		"unknown in gzip":      {"br, gzip", zipped, "", "codec.Gzip: br is not decoded here, only gzip is"},
		"unknown, and no word": {"b\nr", text, "", `codec.Gzip: "b\nr" is not decoded here, only gzip is`},
		"empty":                {"gzip", "", "", "codec.Gzip: the body is empty, and gzip of nothing is not"},
		"not gzip":             {"gzip", text, "", "codec.Gzip: the body is not gzip"},
		"said too often":       {"gzip, gzip", zipped, "", "codec.Gzip: the body is not gzip: gzip: invalid header"},
		"far too often":        {"gzip,gzip,gzip,gzip,gzip", zipped, "", "codec.Gzip: 5 layers of gzip are more than 4"},
		"cut off":              {"gzip", zipped[:len(zipped)-5], "", "codec.Gzip: the gzip data is cut off: unexpected EOF"},
		"garbage behind":       {"gzip", zipped + strings.Repeat("x", 10), "", "codec.Gzip: something follows the gzip data"},
		"above the limit":      {"gzip", string(zip(make([]byte, 16_001))), "", "codec.Gzip: the body inflates to more than 16000 bytes, which is Limits.MaxBytes"},
		"above it in all":      {"gzip,gzip", string(zip(zip(bytes.Repeat([]byte{7}, 15_990)))), "", "codec.Gzip: the body inflates to more than 16000 bytes, which is Limits.MaxBytes"},
	} {
		var got publisher.Body
		body := []byte(row.body)
		err := codec.Gzip(labelled{decodes: "zstd", decoded: &got}, codec.Limits{MaxBytes: 16_000}).
			Decode(publisher.Body{Bytes: body, ContentEncoding: row.encoding}, nil)
		switch {
		case string(body) != row.body:
			t.Errorf("%s: the body was changed", name)
		case row.err != "":
			if err == nil || err.Error() != row.err || got.Bytes != nil {
				t.Errorf("%s: inner got %d bytes; %v", name, len(got.Bytes), err)
			}
			if errors.Is(err, codec.ErrTooLarge) != strings.Contains(row.err, "inflates to more") {
				t.Errorf("%s: %v is ErrTooLarge: %t", name, err, errors.Is(err, codec.ErrTooLarge))
			}
		case err != nil || string(got.Bytes) != text || got.ContentEncoding != row.rest:
			t.Errorf("%s: inner got %d bytes and the encoding %q; %v", name, len(got.Bytes), got.ContentEncoding, err)
		}
	}
}

func TestTheErrorAndThePanicOfTheCodecInsideArePassedOn(t *testing.T) {
	broken := errors.New("broken")
	b := publisher.Body{Bytes: zip([]byte("x")), ContentEncoding: "gzip"}
	c := codec.Gzip(labelled{err: broken}, codec.Limits{})
	if err := c.Decode(b, nil); !errors.Is(err, broken) || err.Error() != "broken" {
		t.Errorf("decoding: %v", err)
	}
	if _, err := c.Encode("x"); !errors.Is(err, broken) {
		t.Errorf("encoding: %v", err)
	}
	c = codec.Gzip(labelled{panics: "boom"}, codec.Limits{})
	for name, f := range map[string]func(){"Decode": func() { _ = c.Decode(b, nil) }, "Encode": func() { _, _ = c.Encode("x") }} {
		if p := panicOf(f); p != "boom" {
			t.Errorf("%s: %q", name, p)
		}
	}
}

// panicOf returns what a function has panicked with as text, "" if it has not.
func panicOf(f func()) (text string) {
	defer func() {
		if p := recover(); p != nil {
			text = fmt.Sprint(p)
		}
	}()
	f()
	return ""
}

func TestAGzipThatIsMadeWronglyPanics(t *testing.T) {
	for want, make := range map[string]func() publisher.Codec{
		"codec.Gzip: the codec is nil":                             func() publisher.Codec { return codec.Gzip(nil, codec.Limits{}) },
		"codec.Gzip: Limits.MinBytes is -1, want 0 or more":        func() publisher.Codec { return codec.Gzip(publisher.JSON, codec.Limits{MinBytes: -1}) },
		"codec.Gzip: Limits.MaxBytes is -16777216, want 0 or more": func() publisher.Codec { return codec.Gzip(publisher.JSON, codec.Limits{MaxBytes: -16 << 20}) },
	} {
		if got := panicOf(func() { make() }); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestOneGzipIsUsedByManyGoroutines(t *testing.T) {
	c := codec.Gzip(publisher.JSON, codec.Limits{})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 50 {
				want := strings.Repeat(fmt.Sprint(i, n, " "), 300+n*7)
				b, err := c.Encode(want)
				if err != nil || b.ContentEncoding != "gzip" {
					t.Errorf("%q, %v", b.ContentEncoding, err)
					return
				}
				var got string
				if err := c.Decode(b, &got); err != nil || got != want {
					t.Errorf("%d bytes, want %d: %v", len(got), len(want), err)
					return
				}
			}
		})
	}
	all.Wait()
}

// FuzzDecode expects no panic, no body above the limit, no change of what it was given, and what
// Encode has made of whatever was decoded.
func FuzzDecode(f *testing.F) {
	const most = 10_000
	for _, body := range [][]byte{nil, []byte("{}"), zip([]byte("text")), zip(zip([]byte("text"))), zip(make([]byte, most+1))} {
		for _, encoding := range []string{"", "gzip", "x-gzip, gzip", "br", "gzip, UTF-8", ",:,", "identity"} {
			f.Add(body, encoding)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte, encoding string) {
		var inside publisher.Body
		before := bytes.Clone(body)
		err := codec.Gzip(labelled{decoded: &inside}, codec.Limits{MaxBytes: most}).Decode(publisher.Body{Bytes: body, ContentEncoding: encoding}, nil)
		if !bytes.Equal(body, before) {
			t.Fatal("the body was changed")
		}
		if err != nil {
			if inside.Bytes != nil || !strings.HasPrefix(err.Error(), "codec.Gzip: ") {
				t.Fatalf("inner got %d bytes; %v", len(inside.Bytes), err)
			}
			return
		}
		if len(inside.Bytes) > max(most, len(body)) {
			t.Fatalf("%d bytes of at most %d", len(inside.Bytes), most)
		}
		c := codec.Gzip(publisher.Raw, codec.Limits{MinBytes: 1})
		sent, err := c.Encode(inside.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		var again []byte
		if err := c.Decode(sent, &again); err != nil || !bytes.Equal(again, inside.Bytes) {
			t.Fatalf("%q became %q: %v", inside.Bytes, again, err)
		}
	})
}
