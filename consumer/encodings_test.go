package consumer

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// What other programs send as JSON: compressed, marked, or in another encoding of text.
func TestABodyThatDoesNotDecodeSaysHowItIsEncoded(t *testing.T) {
	text := []byte(`{"Number": 7, "Name": "Zoë"}`)
	zipped := func() []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(text)
		_ = z.Close()
		return b.Bytes()
	}()
	var wide []byte
	for _, r := range utf16.Encode([]rune(string(text))) {
		wide = append(wide, byte(r), byte(r>>8))
	}
	groups := map[string]string{}
	for name, row := range map[string]struct {
		contentType, encoding string
		body                  []byte
		want                  string // "" is decoded
	}{
		"plain":            {"application/json", "", text, ""},
		"charset":          {"application/json; charset=utf-8", "utf-8", text, ""},
		"newline":          {"application/json", "", append(bytes.Clone(text), '\r', '\n'), ""},
		"nothing is said":  {"", "", text, ""},
		"another type":     {"text/csv", "", text, ""}, // what decodes is not refused for what it says
		"gzip":             {"application/json", "gzip", zipped, "content encoding gzip: content type application/json: invalid character"},
		"deflate":          {"application/json", "deflate", zipped, "content encoding deflate: content type application/json: invalid character"},
		"gzip, not said":   {"application/json", "", zipped, "content type application/json: invalid character"},
		"UTF-8 mark":       {"application/json", "", append([]byte("\xef\xbb\xbf"), text...), "the body begins with a byte order mark of UTF-8: content type application/json: invalid character"},
		"UTF-16":           {"application/json; charset=utf-16", "", append([]byte("\xff\xfe"), wide...), "the body begins with a byte order mark of little-endian UTF-16: content type application/json; charset=utf-16: invalid character"},
		"UTF-16, other":    {"application/json", "", []byte("\xfe\xff\x00{"), "the body begins with a byte order mark of big-endian UTF-16: content type application/json: invalid character"},
		"csv":              {"text/csv", "", []byte("a;b"), "content type text/csv: invalid character"},
		"mark and gzip":    {"application/json", "gzip", []byte("\xef\xbb\xbf{}"), "content encoding gzip: the body begins with a byte order mark of UTF-8: content type application/json: invalid character"},
		"NUL":              {"application/json", "", append(bytes.Clone(text), 0), "invalid character"},
		"empty":            {"application/json", "", nil, "the body is empty"},
		"not a word":       {"a\"b\n", "", nil, `content type "a\"b\n": the body is empty`},
		"a type of itself": {"application/vnd.api+json", "", []byte("{"), "unexpected end of JSON input"},
	} {
		raw := delivery(nil)
		raw.ContentType, raw.ContentEncoding, raw.Body = row.contentType, row.encoding, row.body
		var got struct{ Name string }
		s := process(t, spec(func(s *Spec) {
			s.Handler = JSON(func(_ context.Context, m Message[struct{ Name string }]) Result { got = m.Payload; return Ack() })
		}), raw)
		if row.want == "" {
			if s.Action != monitoring.Acked || got.Name != "Zoë" {
				t.Errorf("%s: %v %v, %+v", name, in(s), s.Err, got)
			}
			continue
		}
		if s.Reason != monitoring.ReasonUndecodable || !strings.HasPrefix(fmt.Sprint(s.Err), "decode: "+row.want) {
			t.Errorf("%s: %v %v, want %s", name, in(s), s.Err, row.want)
			continue
		}
		group, _ := s.Copy.Headers[wire.ErrorGroup].(string)
		if other, ok := groups[group]; ok {
			t.Errorf("%s and %s have the group %q", name, other, group)
		}
		groups[group] = name
	}
}
