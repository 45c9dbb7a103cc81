package publisher_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"reflect"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/publisher"
)

// zip is a compression that wraps another Codec.
type zip struct{ publisher.Codec }

func (z zip) Encode(payload any) (publisher.Body, error) {
	b, err := z.Codec.Encode(payload)
	if err != nil {
		return b, err
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b.Bytes)
	_ = w.Close()
	b.Bytes, b.ContentEncoding = out.Bytes(), "gzip"
	b.Headers = map[string]any{"schema": 7, "retry-attempts": 1, "by": "codec"}
	return b, nil
}

func (z zip) Decode(b publisher.Body, payload any) error {
	r, err := gzip.NewReader(bytes.NewReader(b.Bytes))
	if err != nil {
		return err
	}
	if b.Bytes, err = io.ReadAll(r); err != nil {
		return err
	}
	b.ContentEncoding = ""
	return z.Codec.Decode(b, payload)
}

func TestACodecSaysHowItEncodes(t *testing.T) {
	c := zip{publisher.JSON}
	env := build(t, "hello", publisher.With(c), publisher.Header("by", "option"))
	// An option wins, and the framework's own headers are left out.
	want := amqp.Table{"schema": int64(7), "by": "option"}
	if env.ContentType != "application/json" || env.ContentEncoding != "gzip" || !reflect.DeepEqual(env.Headers, want) {
		t.Errorf("%q, %q, %v", env.ContentType, env.ContentEncoding, env.Headers)
	}
	var got string
	body := publisher.Body{Bytes: env.Body, ContentType: env.ContentType, ContentEncoding: env.ContentEncoding}
	if err := c.Decode(body, &got); err != nil || got != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	env = build(t, "hello", publisher.With(c), publisher.ContentEncoding("x-gzip"), publisher.ContentType("text/x"))
	if env.ContentType != "text/x" || env.ContentEncoding != "x-gzip" {
		t.Errorf("with options: %q, %q", env.ContentType, env.ContentEncoding)
	}
	if env := build(t, []byte("as it is"), publisher.With(c)); env.ContentEncoding != "" || string(env.Body) != "as it is" || env.Headers != nil {
		t.Errorf("bytes: %+v", env.Publishing)
	}
}

func TestJSONSaysWhatABodyClaimsToBe(t *testing.T) {
	for contentType, want := range map[string]string{
		"":                                   "unexpected end",
		"application/json":                   "unexpected end",
		"application/json;charset=\"UTF-8\"": "unexpected end",
		"application/octet-stream":           "unexpected end",
		"application/hal+json":               "unexpected end",
		"application/json; charset=latin1":   "content type application/json; charset=latin1: unexpected end",
		"application/xml":                    "content type application/xml: unexpected end",
		"a type that is none":                "content type a type that is none: unexpected end",
	} {
		err := publisher.JSON.Decode(publisher.Body{Bytes: []byte("{"), ContentType: contentType}, new(any))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %q", contentType, err, want)
		}
	}
}
