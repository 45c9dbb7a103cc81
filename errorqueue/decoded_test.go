package errorqueue

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"strings"
	"testing"
)

func zip(body []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write(body)
	_ = z.Close()
	return b.Bytes()
}

// A KiB that makes a GiB is what the tests of codec have; 17 MiB are above the limit too.
var bomb = zip(make([]byte, 17<<20))

func TestABodyWithAnEncodingIsShownDecodedOrWithAWordAboutWhyNot(t *testing.T) {
	text := []byte(`{"user":{"id":42}}`)
	for name, row := range map[string]struct {
		body     []byte
		encoding string
		decoded  any // "" if it is not there
		bytes    any
		why      any
		matches  bool // body.user.id=42
	}{
		"plain":          {text, "", nil, nil, nil, true},
		"text":           {text, "utf-8", nil, nil, nil, true},
		"gzip":           {zip(text), "gzip", string(text), nil, nil, true},
		"gzip in gzip":   {zip(zip(text)), "x-gzip,GZIP", string(text), nil, nil, true},
		"nothing":        {zip(nil), "gzip", "", nil, nil, false},
		"no text":        {zip([]byte{0xff}), "gzip", nil, "/w==", nil, false},
		"a bomb":         {bomb, "gzip", nil, nil, "the body inflates to more than 1048576 bytes", false},
		"large":          {zip([]byte(`{"user":{"id":42,"name":"` + strings.Repeat("x", 1<<20) + `"}}`)), "gzip", nil, nil, "the body inflates to more than 1048576 bytes", true},
		"not gzip":       {text, "gzip", nil, nil, "the body is not gzip", true}, // as show shows it
		"cut off":        {zip(text)[:20], "gzip", nil, nil, "the gzip data is cut off: unexpected EOF", false},
		"other encoding": {text, "br", nil, nil, "the content encoding br is unknown here", true},
	} {
		m := &Message{Body: row.body, BodySize: len(row.body), ContentEncoding: row.encoding}
		asJSON, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(asJSON, &got); err != nil {
			t.Fatal(err)
		}
		if got["decoded"] != row.decoded || got["decoded_base64"] != row.bytes || got["not_decoded"] != row.why {
			t.Errorf("%s: %v, %v, %v", name, got["decoded"], got["decoded_base64"], got["not_decoded"])
		}
		if raw, ok := got["body"].(string); ok && raw != string(row.body) {
			t.Errorf("%s: the body is %q", name, raw)
		}
		f, err := ParseFilter("body.user.id=42")
		if err != nil {
			t.Fatal(err)
		}
		if chooses(t, f, m) != row.matches {
			t.Errorf("%s: body.user.id=42 chooses it: %t", name, !row.matches)
		}
		if body, encoded, err := m.Decoded(); err != nil && (!encoded || !bytes.Equal(body, row.body)) {
			t.Errorf("%s: %d bytes, %t, %v", name, len(body), encoded, err)
		}
	}
}

func TestTheSampleOfAGroupIsCutDecodedToo(t *testing.T) {
	long := strings.Repeat("0123456789", 100_000)
	var noise []byte // so that its gzip is cut as well
	for i := range 20_000 {
		noise = append(noise, byte('a'+i*i%13+i%11), byte('a'+i%7*i%19))
	}
	for name, row := range map[string]struct {
		body []byte
		want string
	}{
		"short":                     {zip([]byte("short")), "short"},
		"as gzip short":             {zip([]byte(long)), long[:sampleBody]},
		"long":                      {zip(noise), string(noise[:sampleBody])},
		"a bomb":                    {bomb, string(make([]byte, sampleBody))},
		"not gzip, and not decoded": {[]byte(long), ""},
	} {
		g := grouping{most: 10, key: func(*Message) string { return "" }, groups: map[string]*Group{}}
		g.add(Message{Body: row.body, BodySize: len(row.body), ContentEncoding: "gzip"})
		sample := g.report().Groups[0].Sample
		got, encoded, err := sample.Decoded()
		if row.want != "" && (err != nil || string(got) != row.want) || row.want == "" && (err == nil || !bytes.Equal(got, row.body[:sampleBody])) || !encoded || len(sample.Body) > sampleBody {
			t.Errorf("%s: %d of %d bytes: %v", name, len(got), len(sample.Body), err)
		}
	}
}
