package codec_test

import (
	"context"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/codec"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

// delivered delivers a body to a consumer of numbers.
func delivered(t *testing.T, c publisher.Codec, body []byte, contentType, encoding string) *consumertest.Run {
	t.Helper()
	q := consumertest.New(t, consumer.Spec{
		Queue:   "orders",
		Handler: consumer.Decode(c, func(context.Context, consumer.Message[int]) consumer.Result { return consumer.Ack() }),
	})
	return q.Deliver(body, consumertest.Properties(func(d *amqp.Delivery) { d.ContentType, d.ContentEncoding = contentType, encoding }))
}

func TestAConsumerBlamesTheEncodingOnlyForWhatTheEncodingIsToBlame(t *testing.T) {
	json := codec.Gzip(publisher.JSON, codec.Limits{})
	types := codec.Gzip(codec.ByContentType(publisher.JSON), codec.Limits{})
	panics := codec.Gzip(labelled{panics: "boom"}, codec.Limits{})
	for name, row := range map[string]struct {
		codec                 publisher.Codec
		body                  string
		contentType, encoding string
		want                  string // "" is acked
	}{
		"good":            {json, string(zip([]byte("7"))), "", "gzip", ""},
		"wrong inside":    {json, string(zip([]byte(`"x"`))), "", "gzip", "decode: json: cannot unmarshal string"},
		"not JSON inside": {json, string(zip([]byte("a;b"))), "text/csv", "gzip", "decode: content type text/csv: invalid character"},
		"empty inside":    {json, string(zip(nil)), "", "gzip", "decode: the body is empty"},
		"a mark inside":   {json, string(zip([]byte("\xef\xbb\xbf{}"))), "", "gzip", "decode: the body begins with a byte order mark of UTF-8: content type application/octet-stream: invalid character"},
		"latin1 inside":   {json, string(zip([]byte("{"))), "", "binary, gzip", "decode: content encoding binary: unexpected end"},
		"another type":    {types, string(zip([]byte("{"))), "text/csv", "gzip", "decode: codec.ByContentType: content type text/csv is not decoded here, only application/json"},
		"not gzip":        {json, "{}", "", "gzip", "decode: content encoding gzip: codec.Gzip: the body is not gzip"},
		"br":              {json, "{}", "", "br", "decode: content encoding br: codec.Gzip: br is not decoded here"},
		"without gzip":    {json, "{", "", "", "decode: unexpected end"},
		"a panic":         {panics, string(zip([]byte("7"))), "", "gzip", "decode: codec panicked: boom"},
	} {
		s := delivered(t, row.codec, []byte(row.body), row.contentType, row.encoding).Settlement
		if row.want == "" {
			if s.Action != monitoring.Acked {
				t.Errorf("%s: %s, %v", name, s.Action, s.Err)
			}
			continue
		}
		if s.Action != monitoring.Parked || s.Reason != monitoring.ReasonUndecodable || !strings.HasPrefix(s.Err.Error(), row.want) || string(s.Copy.Body) != row.body {
			t.Errorf("%s: %s %s, %v; want %s", name, s.Action, s.Reason, s.Err, row.want)
		}
	}
}

func TestTheSameFailureIsOneGroupCompressedAndPlain(t *testing.T) {
	c := codec.Gzip(publisher.JSON, codec.Limits{})
	for _, body := range []string{`"x"`, "", "{"} {
		plain := delivered(t, c, []byte(body), "application/json", "").Settlement.Copy.Headers
		zipped := delivered(t, c, zip([]byte(body)), "application/json", "gzip").Settlement.Copy.Headers
		for _, header := range []string{wire.ErrorGroup, wire.ErrorType, wire.Error} {
			if plain[header] != zipped[header] || plain[header] == nil && header != wire.ErrorType {
				t.Errorf("%s: %s is %v plain and %v compressed", body, header, plain[header], zipped[header])
			}
		}
	}
}

func TestACodecThatPanicsPublishesNothingAndSaysSo(t *testing.T) {
	c := codec.Gzip(codec.ByContentType(codec.Type(labelled{panics: "boom"}, "x/a")), codec.Limits{})
	pub := publishertest.Recorder{Config: publisher.Config{Codec: c}}
	if err := pub.Publish(t.Context(), "orders", "x"); err == nil || !strings.Contains(err.Error(), "codec panicked: boom") || len(pub.Messages()) > 0 {
		t.Errorf("%v; %v", err, pub.Messages())
	}
}
