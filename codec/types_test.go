package codec_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/codec"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// tagged encodes as its tag and decodes into a string that says so.
type tagged struct {
	tag, contentType string
}

func (c tagged) Encode(any) (publisher.Body, error) {
	return publisher.Body{Bytes: []byte(c.tag), ContentType: c.contentType}, nil
}

func (c tagged) Decode(b publisher.Body, payload any) error {
	*payload.(*string) = c.tag + " of " + string(b.Bytes)
	return nil
}

// said is a tagged that says its content types.
type said struct {
	tagged

	types []string
}

func (c said) ContentTypes() []string { return c.types }

func TestAMessageGoesToTheCodecForItsContentType(t *testing.T) {
	c := codec.ByContentType(
		codec.Type(tagged{"json", "application/json"}, "application/json"),
		said{tagged{"avro", "application/avro"}, []string{"application/avro", "Avro/Binary; version=1"}},
	)
	withRaw := codec.ByContentType(codec.Type(tagged{"json", ""}, "application/json"), codec.Type(tagged{"raw", ""}, "application/octet-stream"))
	for _, row := range []struct {
		codec       publisher.Codec
		contentType string
		want        string // "" is an error
	}{
		{c, "application/json", "json"},
		{c, "Application/JSON; charset=utf-8", "json"},
		{c, " application/json ;", "json"},
		{c, "application/vnd.order+json", "json"},
		{c, "application/vnd.order+AVRO;v=2", "avro"},
		{c, "application/avro", "avro"},
		{c, "avro/binary", "avro"},
		{c, "", "json"},
		{c, " ", "json"},
		{c, "application/octet-stream", "json"},
		{withRaw, "application/octet-stream", "raw"},
		{withRaw, "", "json"},
		{c, "text/csv", ""},
		{c, "application/xml+", ""},
		{c, "json", ""},
		{c, "+json", "json"},
		{c, "a\nb", ""},
	} {
		var got string
		err := row.codec.Decode(publisher.Body{Bytes: []byte("b"), ContentType: row.contentType}, &got)
		if row.want != "" && (err != nil || got != row.want+" of b") {
			t.Errorf("%q: %q, %v", row.contentType, got, err)
		}
		if row.want == "" && (err == nil || !strings.Contains(err.Error(), "is not decoded here, only application/avro, application/json, avro/binary")) {
			t.Errorf("%q: %q, %v", row.contentType, got, err)
		}
	}
	if err := c.Decode(publisher.Body{ContentType: "text/csv; a=b"}, nil); err.Error() != "codec.ByContentType: content type text/csv; a=b is not decoded here, only application/avro, application/json, avro/binary" {
		t.Error(err)
	}
}

func TestTheFirstCodecEncodes(t *testing.T) {
	for name, row := range map[string]struct {
		first publisher.Codec
		want  string // the content type
		err   string
	}{
		"its own type":    {said{tagged{"a", "x/a; v=1"}, []string{"x/a"}}, "x/a; v=1", ""},
		"no type":         {said{tagged{"a", ""}, []string{"x/a"}}, "", ""},
		"no type, wanted": {codec.Type(tagged{"a", ""}, "x/a", "x/b"), "x/a", ""},
		"another type":    {codec.Type(tagged{"a", "x/c"}, "x/a"), "", "codec.ByContentType: *codec.typed has made the content type x/c, for which there is no codec"},
	} {
		b, err := codec.ByContentType(row.first, publisher.JSON).Encode(7)
		if row.err == "" && (err != nil || string(b.Bytes) != "a" || b.ContentType != row.want) || row.err != "" && (err == nil || err.Error() != row.err) {
			t.Errorf("%s: %q, %q, %v", name, b.Bytes, b.ContentType, err)
		}
	}
	broken := errors.New("broken")
	if _, err := codec.ByContentType(codec.Type(labelled{err: broken}, "x/a")).Encode("x"); !errors.Is(err, broken) {
		t.Errorf("an error of the first: %v", err)
	}
}

func TestTheCodecsOfPublisherSayTheirContentTypes(t *testing.T) {
	for _, strict := range []publisher.Codec{publisher.JSON, publisher.StrictJSON} {
		c := codec.ByContentType(publisher.Raw, strict)
		var text string
		var number int
		if err := c.Decode(publisher.Body{Bytes: []byte("7"), ContentType: "application/octet-stream"}, &text); err != nil || text != "7" {
			t.Errorf("Raw: %q, %v", text, err)
		}
		if err := c.Decode(publisher.Body{Bytes: []byte("7"), ContentType: "application/json"}, &number); err != nil || number != 7 {
			t.Errorf("JSON: %d, %v", number, err)
		}
	}
}

func TestGzipAndByContentTypeWrapEachOther(t *testing.T) {
	long := strings.Repeat("bunnicula ", 500)
	avro := codec.Type(tagged{long, ""}, "application/avro")
	zipAll := codec.Gzip(codec.ByContentType(avro, publisher.JSON), codec.Limits{})
	zipOne := codec.ByContentType(codec.Gzip(avro, codec.Limits{}), codec.Gzip(publisher.JSON, codec.Limits{}))
	json := codec.Gzip(publisher.JSON, codec.Limits{})
	for name, c := range map[string]publisher.Codec{"Gzip outside": zipAll, "Gzip inside": zipOne} {
		b, err := c.Encode(nil)
		if err != nil || b.ContentEncoding != "gzip" || b.ContentType != "application/avro" || len(b.Bytes) > 200 {
			t.Fatalf("%s: %d bytes, %q, %q, %v", name, len(b.Bytes), b.ContentEncoding, b.ContentType, err)
		}
		var got string
		if err := c.Decode(b, &got); err != nil || got != long+" of "+long {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
		b, err = json.Encode(long)
		if err != nil || b.ContentEncoding != "gzip" {
			t.Fatal(err)
		}
		if err := c.Decode(b, &got); err != nil || got != long {
			t.Errorf("%s: JSON: %d bytes, %v", name, len(got), err)
		}
		b.ContentType = "text/csv"
		if err := c.Decode(b, &got); err == nil || !strings.HasPrefix(err.Error(), "codec.ByContentType: content type text/csv is not decoded here, only application/avro, application/json") {
			t.Errorf("%s: CSV: %v", name, err)
		}
	}
}

func TestAnEncodingInsideIsDecodedIfAllCodecsDoIt(t *testing.T) {
	var got publisher.Body
	does, doesNot := labelled{decodes: "zstd", decoded: &got}, labelled{}
	b := publisher.Body{Bytes: zip([]byte("x")), ContentEncoding: "zstd, gzip", ContentType: "x/a"}
	if err := codec.Gzip(codec.ByContentType(codec.Type(does, "x/a"), codec.Type(does, "x/b")), codec.Limits{}).Decode(b, nil); err != nil || got.ContentEncoding != "zstd" {
		t.Errorf("%q, %v", got.ContentEncoding, err)
	}
	if err := codec.Gzip(codec.ByContentType(codec.Type(does, "x/a"), codec.Type(doesNot, "x/b")), codec.Limits{}).Decode(b, nil); err == nil {
		t.Error("one of them does not decode it")
	}
	if err := codec.Gzip(codec.Gzip(does, codec.Limits{}), codec.Limits{}).Decode(b, nil); err != nil {
		t.Error(err)
	}
}

func TestCodecsThatAreChosenWronglyPanic(t *testing.T) {
	json := publisher.JSON
	var none publisher.Codec
	for want, f := range map[string]func(){
		"codec.ByContentType: codec 1 is nil": func() { codec.ByContentType(nil, json) },
		"codec.ByContentType: codec 2 is nil": func() { codec.ByContentType(json, none) },
		"codec.ByContentType: codec 2, codec_test.tagged, does not say its content types: use codec.Type, or give it a method ContentTypes() []string": func() { codec.ByContentType(json, tagged{}) },
		"codec.ByContentType: codec 1, *codec.gzipCodec, does not say its content types: use codec.Type, or give it a method ContentTypes() []string":  func() { codec.ByContentType(codec.Gzip(tagged{}, codec.Limits{})) },
		"codec.ByContentType: codec 1, codec_test.said, has a content type that is empty":                                                              func() { codec.ByContentType(said{types: []string{" ;x"}}) },
		"codec.ByContentType: codec 2, *codec.typed, is for application/json, and so is publisher.jsonCodec before it":                                 func() { codec.ByContentType(json, codec.Type(tagged{}, "Application/JSON;v=1")) },
		"codec.Type: the codec is nil":                              func() { codec.Type(nil, "x/a") },
		"codec.Type: no content type for codec_test.tagged":         func() { codec.Type(tagged{}) },
		`codec.Type: content type "" of codec_test.tagged is empty`: func() { codec.Type(tagged{}, "x/a", "") },
	} {
		if got := panicOf(f); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
