package strangers

import (
	"bytes"
	"compress/gzip"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// encoded are bodies that encoding/json does not read, and what their errors name.
var encoded = []struct {
	contentType, encoding string
	body                  []byte
	names                 []string
}{
	{"application/json", "gzip", zipped(`{"n":1}`), []string{"content encoding gzip", "content type application/json"}},
	{"application/json", "", []byte("\xef\xbb\xbf{}"), []string{"byte order mark of UTF-8", "content type application/json"}},
	{"application/json; charset=utf-16", "", []byte("\xff\xfe{\x00}\x00"), []string{"byte order mark of little-endian UTF-16", "charset=utf-16"}},
	{"text/csv", "", []byte("a;b"), []string{"content type text/csv"}},
	{"application/json", "", []byte("{"), []string{"unexpected end of JSON input"}},
}

func zipped(text string) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return b.Bytes()
}

func TestBodiesOfOtherEncodingsAreGroupsThatSayWhich(t *testing.T) {
	queue, conn := amqptest.Queue(t, "encodings"), connecttest.New(t, connection.Config{})
	c, err := consumer.New(conn, consumer.Spec{
		Queue:   queue,
		Handler: consumer.JSON(func(context.Context, consumer.Message[struct{ N int }]) consumer.Result { return consumer.Ack() }),
	}, monitoring.Nop{}, slog.New(slog.DiscardHandler))
	must(t, err)
	must(t, c.Start(t.Context()))
	const each = 3
	for range each {
		for _, e := range encoded {
			amqptest.Publish(t, "", queue, amqp.Publishing{ContentType: e.contentType, ContentEncoding: e.encoding, Body: e.body})
		}
	}
	amqptest.Eventually(t, 20*time.Second, func() bool { return amqptest.Depth(t, queue+"-error") == each*len(encoded) }, "not all are parked")
	must(t, c.Stop(t.Context()))

	q, err := errorqueue.Open(t.Context(), conn, errorqueue.Config{Queue: queue}, nil)
	must(t, err)
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		q.Close(ctx)
	}()
	report, err := q.Groups(t.Context(), errorqueue.GroupOptions{})
	must(t, err)
	if len(report.Groups) != len(encoded) {
		t.Fatalf("there are %d groups, want %d", len(report.Groups), len(encoded))
	}
	for _, e := range encoded {
		found := 0
		for _, g := range report.Groups {
			if bytes.Equal(g.Sample.Body, e.body) {
				found = g.Count
				for _, name := range e.names {
					if !strings.Contains(g.Sample.Error, name) {
						t.Errorf("%q, %q: the error is %q, want it to name %s", e.contentType, e.encoding, g.Sample.Error, name)
					}
				}
			}
		}
		if found != each {
			t.Errorf("%q, %q: the group has %d messages, want %d", e.contentType, e.encoding, found, each)
		}
	}
}
