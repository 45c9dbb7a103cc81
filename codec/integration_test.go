package codec_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/codec"
	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// shop is a consumer on a real broker whose handler is set by the test.
type shop struct {
	t      *testing.T
	queue  string
	conn   *connection.Connection
	seen   monitoringtest.Recorder
	answer atomic.Pointer[func(consumer.Message[Order]) consumer.Result]
}

func openShop(t *testing.T, c publisher.Codec) *shop {
	t.Helper()
	s := &shop{t: t, queue: amqptest.Queue(t, "codec"), conn: connecttest.New(t, connection.Config{})}
	s.answers(func(consumer.Message[Order]) consumer.Result { return consumer.Ack() })
	worker, err := consumer.New(s.conn, consumer.Spec{
		Queue: s.queue, MaxRetries: 1, Backoff: []time.Duration{50 * time.Millisecond}, Concurrency: 2,
		Handler: consumer.Decode(c, func(_ context.Context, m consumer.Message[Order]) consumer.Result { return (*s.answer.Load())(m) }),
	}, &s.seen, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := worker.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *shop) answers(f func(consumer.Message[Order]) consumer.Result) { s.answer.Store(&f) }

// end waits until n deliveries have ended, and returns the last.
func (s *shop) end(n int) monitoringtest.End {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	if err := s.seen.Wait(ctx, n); err != nil {
		s.t.Fatal(err)
	}
	return s.seen.Ends()[n-1]
}

func TestACompressedBodyStaysTheSameUntilItIsRedrivenAndDone(t *testing.T) {
	c := codec.Gzip(publisher.JSON, codec.Limits{})
	s := openShop(t, c)
	notes := strings.Repeat("bunnicula ", 1000)
	s.answers(func(m consumer.Message[Order]) consumer.Result {
		if m.Payload != (Order{Number: 7, Notes: notes}) {
			return consumer.Error(errors.New("another order"))
		}
		return consumer.Retry(errors.New("out of stock"))
	})
	pub, err := publisher.New(s.conn, publisher.Config{Codec: c}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pub.Stop(context.Background()) })
	if err := pub.Publish(t.Context(), s.queue, Order{Number: 7, Notes: notes}); err != nil {
		t.Fatal(err)
	}
	if o := s.end(2).Outcome; o.Action != monitoring.Parked || o.Reason != monitoring.ReasonRetriesExhausted {
		t.Fatalf("it was %s: %s, %v", o.Action, o.Reason, o.Err)
	}
	sent := s.seen.Ends()[0].Delivery
	if sent.ContentEncoding != "gzip" || sent.ContentType != "application/json" || len(sent.Body) > 1000 {
		t.Fatalf("%d bytes were sent, %q, %q", len(sent.Body), sent.ContentType, sent.ContentEncoding)
	}
	same := func(when string, body []byte, encoding string) {
		t.Helper()
		if !bytes.Equal(body, sent.Body) || encoding != "gzip" {
			t.Errorf("%s: %d bytes of %q, which were %d", when, len(body), encoding, len(sent.Body))
		}
	}
	again := s.seen.Ends()[1].Delivery
	same("retried", again.Body, again.ContentEncoding)

	q := openErrors(t, s)
	filter, err := errorqueue.ParseFilter("body.Number=7")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for m, err := range q.List(t.Context(), errorqueue.ListOptions{Filter: filter}) {
		if err != nil {
			t.Fatal(err)
		}
		found++
		same("parked", m.Body, m.ContentEncoding)
		if body, encoded, err := m.Decoded(); err != nil || !encoded || !strings.Contains(string(body), notes) {
			t.Errorf("%d bytes are seen, %t, %v", len(body), encoded, err)
		}
	}
	if found != 1 {
		t.Fatalf("%s finds %d", filter, found)
	}
	imported := roundTrip(t, q, s.queue, notes)
	same("exported and imported", imported.Body, imported.ContentEncoding)

	s.answers(func(consumer.Message[Order]) consumer.Result { return consumer.Ack() })
	if report, err := q.Redrive(t.Context(), errorqueue.RedriveOptions{Filter: filter}); err != nil || report.Moved != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	done := s.end(3)
	if done.Outcome.Action != monitoring.Acked {
		t.Errorf("it was %s: %v", done.Outcome.Action, done.Outcome.Err)
	}
	same("redriven", done.Delivery.Body, done.Delivery.ContentEncoding)
}

func openErrors(t *testing.T, s *shop) *errorqueue.Queue {
	t.Helper()
	q, err := errorqueue.Open(t.Context(), s.conn, errorqueue.Config{Queue: s.queue}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close(context.Background()) })
	return q
}

// roundTrip exports the queue, looks at what the file says of the body, imports the file into a
// queue of its own, and returns what is there then.
func roundTrip(t *testing.T, q *errorqueue.Queue, queue, decoded string) amqp.Delivery {
	t.Helper()
	var file bytes.Buffer
	if n, err := q.Export(t.Context(), &file, errorqueue.ExportOptions{}); err != nil || n != 1 {
		t.Fatalf("%d exported, %v", n, err)
	}
	var line struct {
		Decoded string
		Bytes   []byte
	}
	if err := json.Unmarshal(bytes.Split(file.Bytes(), []byte("\n"))[1], &line); err != nil || !strings.Contains(line.Decoded, decoded) || len(line.Bytes) == 0 {
		t.Errorf("the file has %d bytes and %d of text, %v", len(line.Bytes), len(line.Decoded), err)
	}
	copies := amqptest.Queue(t, "codec-copies")
	if _, err := amqptest.Channel(t).QueueDeclare(copies, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if report, err := q.Import(t.Context(), &file, errorqueue.ImportOptions{To: copies}); err != nil || report.Imported != 1 {
		t.Fatalf("%s: %+v, %v", queue, report, err)
	}
	return amqptest.Get(t, copies)
}

func TestABombIsParkedByAConsumerOnABrokerWithLessThan32MiB(t *testing.T) {
	s := openShop(t, codec.Gzip(publisher.JSON, codec.Limits{}))
	s.answers(func(consumer.Message[Order]) consumer.Result { t.Error("it was handled"); return consumer.Ack() })
	bomb := bombs()["gzip in gzip in gzip"]
	var parked monitoringtest.End
	n := allocated(func() {
		amqptest.Publish(t, "", s.queue, bomb)
		parked = s.end(1)
	})
	t.Logf("%d bytes: the process allocates %.1f MiB", len(bomb.Body), float64(n)/(1<<20))
	if parked.Outcome.Action != monitoring.Parked || parked.Outcome.Reason != monitoring.ReasonUndecodable || !errors.Is(parked.Outcome.Err, codec.ErrTooLarge) || n >= mostAllocated {
		t.Errorf("%d bytes were allocated; it was %s: %s, %v", n, parked.Outcome.Action, parked.Outcome.Reason, parked.Outcome.Err)
	}
	q := openErrors(t, s)
	n = allocated(func() {
		for m, err := range q.List(t.Context(), errorqueue.ListOptions{}) {
			if err != nil {
				t.Fatal(err)
			}
			body, encoded, err := m.Decoded()
			if err == nil || !encoded || !bytes.Equal(body, bomb.Body) || !bytes.Equal(m.Body, bomb.Body) || m.Reason != "undecodable" {
				t.Errorf("%s: %d bytes are seen, %t, %v", m.Reason, len(body), encoded, err)
			}
		}
	})
	if n >= mostAllocated {
		t.Errorf("to look at it took %d bytes", n)
	}
}
