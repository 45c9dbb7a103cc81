package inflate_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/internal/inflate"
)

func zip(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(body)
	_ = z.Close()
	return b.Bytes()
}

// layers is a body in so many layers of gzip.
func layers(n int, body []byte) []byte {
	for range n {
		body = zip(body)
	}
	return body
}

func TestAContentEncodingIsReadAsAListWhoseLastIsOutermost(t *testing.T) {
	for text, want := range map[string]inflate.Encoding{
		"":                      {},
		" ":                     {},
		"identity":              {},
		"gzip":                  {Gzip: 1},
		"GZip":                  {Gzip: 1},
		"x-gzip":                {Gzip: 1},
		" gzip , ,x-gzip,":      {Gzip: 2},
		"gzip, identity, gzip":  {Gzip: 2},
		"gzip, UTF-8":           {Gzip: 1, Rest: "UTF-8"}, // Spring AMQP
		"gzip:UTF-8":            {Gzip: 1, Rest: "UTF-8"}, // Spring AMQP before 2.3
		"utf-8":                 {Rest: "utf-8"},          // Celery
		"binary":                {Rest: "binary"},
		"br":                    {Rest: "br", Unknown: "br"},
		"br, gzip":              {Gzip: 1, Rest: "br", Unknown: "br"},
		"zstd, br, gzip":        {Gzip: 1, Rest: "zstd, br", Unknown: "br"},
		"gzip, br":              {Rest: "gzip, br", Unknown: "br"},
		"gzip, br, gzip, utf-8": {Gzip: 1, Rest: "gzip, br, utf-8", Unknown: "br"},
	} {
		if got := inflate.Parse(text); got != want {
			t.Errorf("%q: %+v, want %+v", text, got, want)
		}
	}
}

func TestABodyIsInflatedOrTheErrorSaysWhatIsWrongWithIt(t *testing.T) {
	text := []byte(strings.Repeat("bunnicula ", 20_000))
	whole := zip(text)
	wrongSum := bytes.Clone(whole)
	wrongSum[len(wrongSum)-8]++
	lies := func(size ...byte) []byte { return append(bytes.Clone(whole[:len(whole)-4]), size...) }
	for name, row := range map[string]struct {
		body   []byte
		layers int
		most   int
		want   string // "" is text
	}{
		"gzip":               {whole, 1, len(text), ""},
		"two members":        {append(zip(text[:500]), zip(text[500:])...), 1, len(text), ""},
		"an empty member":    {append(zip(nil), whole...), 1, len(text), ""},
		"gzip in gzip":       {layers(2, text), 2, len(text) + len(whole), ""},
		"as often as may be": {layers(4, text), 4, 1 << 20, ""},
		"too often":          {layers(5, text), 5, 1 << 20, "5 layers of gzip are more than 4"},
		"no bytes":           {nil, 1, 100, "the body is empty, and gzip of nothing is not"},
		"a byte too much":    {whole, 1, len(text) - 1, "the body inflates to more than 199999 bytes"},
		"both layers count":  {layers(2, text), 2, len(text) + len(whole) - 1, "the body inflates to more than"},
		"nothing may be":     {whole, 1, 0, "the body inflates to more than 0 bytes"},
		"plain":              {[]byte(`{"number": 7, "email": "a@example.com"}`), 1, 100, "the body is not gzip"},
		"short":              {[]byte("{}"), 1, 100, "the body is not gzip"},
		"plain in gzip":      {whole, 2, 1 << 20, "the body is not gzip: gzip: invalid header"},
		"empty in gzip":      {zip(nil), 2, 100, "the body is not gzip: it is empty"},
		"cut in its header":  {whole[:7], 1, 100, "the gzip data is cut off: unexpected EOF"},
		"cut":                {whole[:len(whole)/2], 1, 1 << 20, "the gzip data is cut off: unexpected EOF"},
		"cut in its trailer": {whole[:len(whole)-1], 1, 1 << 20, "the gzip data is cut off: unexpected EOF"},
		"cut in gzip":        {zip(whole[:len(whole)/2]), 2, 1 << 20, "the gzip data is cut off: unexpected EOF"},
		"checksum":           {wrongSum, 1, 1 << 20, "gzip: invalid checksum"},
		"another size":       {lies(0, 0, 0, 0), 1, 1 << 20, "gzip: invalid checksum"},
		"a huge size":        {lies(255, 255, 255, 255), 1, 1 << 20, "gzip: invalid checksum"},
		"garbage behind":     {append(bytes.Clone(whole), "garbage behind it"...), 1, 1 << 20, "something follows the gzip data"},
		"zeros behind":       {append(bytes.Clone(whole), make([]byte, 20)...), 1, 1 << 20, "something follows the gzip data"},
	} {
		before := bytes.Clone(row.body)
		got, err := inflate.Gunzip(row.body, row.layers, row.most)
		switch {
		case !bytes.Equal(row.body, before):
			t.Errorf("%s: the body was changed", name)
		case row.want == "" && (err != nil || !bytes.Equal(got, text)):
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		case row.want != "" && (err == nil || !strings.HasPrefix(err.Error(), row.want) || got != nil):
			t.Errorf("%s: %d bytes, %v, want %s", name, len(got), err, row.want)
		}
		if large := strings.Contains(row.want, "inflates to more"); errors.Is(err, inflate.ErrTooLarge) != large {
			t.Errorf("%s: %v is ErrTooLarge: %t", name, err, !large)
		}
	}
}

func TestWhatIsInflatedIsTheCallersAlone(t *testing.T) {
	first, err := inflate.Gunzip(zip([]byte("the first")), 1, 100)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inflate.Gunzip(zip([]byte("something else")), 1, 100); err != nil {
		t.Fatal(err)
	}
	if string(first) != "the first" {
		t.Errorf("it has become %q", first)
	}
}

func TestAViewIsTheBodyAsItIsWhereItCannotBeInflated(t *testing.T) {
	const text = `{"number":7}`
	for name, row := range map[string]struct {
		body, encoding, seen string
		encoded              bool
		err                  string
	}{
		"plain":       {text, "", text, false, ""},
		"text":        {text, "utf-8", text, false, ""},
		"gzip":        {string(zip([]byte(text))), "gzip", text, true, ""},
		"not gzip":    {text, "gzip", text, true, "the body is not gzip"},
		"unknown":     {text, "br", text, true, "the content encoding br is unknown here"},
		"in gzip":     {text, "br, gzip", text, true, "the content encoding br is unknown here"},
		"a bomb":      {string(zip(make([]byte, 1000))), "gzip", string(zip(make([]byte, 1000))), true, "the body inflates to more than 100 bytes"},
		"not a word":  {text, "a\nb", text, true, `the content encoding "a\nb" is unknown here`},
		"of no bytes": {"", "gzip", "", true, "the body is empty, and gzip of nothing is not"},
	} {
		seen, encoded, err := inflate.View([]byte(row.body), row.encoding, 100)
		if string(seen) != row.seen || encoded != row.encoded || (err == nil) != (row.err == "") || err != nil && err.Error() != row.err {
			t.Errorf("%s: %q, %t, %v", name, seen, encoded, err)
		}
	}
}

func TestThePrefixOfABodyThatIsCutOffIsSeen(t *testing.T) {
	text := strings.Repeat("0123456789", 10_000)
	whole := zip([]byte(text))
	for name, row := range map[string]struct {
		body     []byte
		encoding string
		want     string
	}{
		"whole":    {whole, "gzip", text[:1000]},
		"cut":      {whole[:len(whole)*2/3], "gzip", text[:1000]},
		"short":    {zip([]byte("abc")), "gzip", "abc"},
		"not gzip": {[]byte(text), "gzip", ""},
		"plain":    {[]byte(text), "", ""},
		"unknown":  {whole, "br, gzip", ""},
	} {
		if got := inflate.Prefix(row.body, row.encoding, 1000); string(got) != row.want {
			t.Errorf("%s: %d bytes, want %d", name, len(got), len(row.want))
		}
	}
}

// FuzzGunzip expects an end within the limit, and the same as compress/gzip says without one.
func FuzzGunzip(f *testing.F) {
	whole := zip([]byte("some text, some text, some text"))
	for _, body := range [][]byte{nil, whole, whole[:12], append(bytes.Clone(whole), whole...), append(bytes.Clone(whole), 0), layers(3, whole), zip(make([]byte, 5000))} {
		f.Add(body, 1, 1000)
		f.Add(body, 2, 40)
	}
	f.Fuzz(func(t *testing.T, body []byte, n, most int) {
		n, most = max(n%6, 1), max(most%100_000, 0)
		plain, err := inflate.Gunzip(body, n, most)
		if err == nil && len(plain) > most {
			t.Fatalf("%d bytes of at most %d", len(plain), most)
		}
		if n > inflate.MaxLayers || errors.Is(err, inflate.ErrTooLarge) {
			if err == nil {
				t.Fatal("too many layers and no error")
			}
			return
		}
		want, wanted := slowly(body, n)
		if (err == nil) != (wanted == nil) || err == nil && !bytes.Equal(plain, want) {
			t.Fatalf("%q, %v; want %q, %v", plain, err, want, wanted)
		}
		if got := inflate.Prefix(body, "gzip", 10); err == nil && n == 1 && !bytes.Equal(got, plain[:min(len(plain), 10)]) {
			t.Fatalf("the prefix of %q is %q", plain, got)
		}
	})
}
