package publishertest_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

type order struct{ ID int }

func TestTheZeroRecorderKeepsWhatWouldHaveGoneOverTheWire(t *testing.T) {
	var pub publishertest.Recorder
	err := pub.Publish(t.Context(), "orders", order{7}, publisher.Exchange("shop"), publisher.MessageID("m1"),
		publisher.Header("tenant", 5), publisher.Header("retry-attempts", 3), publisher.Priority(4), publisher.Expiration(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if err := pub.Publish(t.Context(), "emails", []byte("raw")); err != nil {
		t.Fatal(err)
	}
	if n := len(pub.Messages()); n != 2 {
		t.Fatalf("%d messages, want 2", n)
	}
	sent := pub.Sent("orders")
	if len(sent) != 1 {
		t.Fatalf("%d messages for orders, want 1", len(sent))
	}
	m := sent[0]
	if m.Payload != any(order{7}) || string(m.Body) != `{"ID":7}` || m.Exchange != "shop" || m.MessageId != "m1" ||
		m.Priority != 4 || m.Expiration != "1000" || m.ContentType != "application/json" || m.Timestamp.IsZero() {
		t.Errorf("got %+v", m)
	}
	if len(m.Headers) != 1 || m.Headers["tenant"] != int64(5) {
		t.Errorf("headers are %v, want the user's alone, as they are sent", m.Headers)
	}
	pub.Reset()
	if n := len(pub.Messages()); n != 0 {
		t.Errorf("%d messages after Reset, want 0", n)
	}
}

func TestAnErrorIsReturnedAndNothingRecorded(t *testing.T) {
	down := errors.New("broker is down")
	for name, pub := range map[string]*publishertest.Recorder{
		"Err":    {Err: down},
		"ErrFor": {ErrFor: func(string) error { return down }},
	} {
		t.Run(name, func(t *testing.T) {
			if err := pub.Publish(t.Context(), "q", 1); !errors.Is(err, down) {
				t.Errorf("Publish: %v, want %v", err, down)
			}
			c, err := pub.PublishAsync(t.Context(), "q", 1, publisher.MessageID("m"))
			if err != nil {
				t.Fatal(err)
			}
			<-c.Done()
			if !errors.Is(c.Err(), down) || c.MessageID() != "m" {
				t.Errorf("Confirmation of %q: %v", c.MessageID(), c.Err())
			}
			if err := pub.PublishBatch(t.Context(), publisher.Message{RoutingKey: "q"}); !errors.Is(err, down) {
				t.Errorf("PublishBatch: %v", err)
			}
			if n := len(pub.Messages()); n != 0 {
				t.Errorf("%d messages recorded", n)
			}
		})
	}
}

func TestABatchReportsJustTheOneThatFailed(t *testing.T) {
	pub := publishertest.Recorder{ErrFor: func(key string) error {
		if key == "missing" {
			return publisher.ErrUnroutable
		}
		return nil
	}}
	err := pub.PublishBatch(t.Context(),
		publisher.Message{RoutingKey: "a", Payload: 1}, publisher.Message{RoutingKey: "missing", Payload: 2}, publisher.Message{RoutingKey: "b", Payload: 3})
	var batch *publisher.BatchError
	if !errors.As(err, &batch) || len(batch.Errs) != 1 || !errors.Is(batch.Errs[1], publisher.ErrUnroutable) || batch.Of != 3 {
		t.Fatalf("got %v", err)
	}
	if n := len(pub.Messages()); n != 2 {
		t.Errorf("%d recorded, want 2", n)
	}
}

func TestBadInputIsRefusedAsAClientDoes(t *testing.T) {
	small := publisher.Config{MaxBody: 4}
	conn, err := connection.New(connection.Config{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := publisher.New(conn, small, nil)
	if err != nil {
		t.Fatal(err)
	}
	pub := publishertest.Recorder{Config: small}
	for name, c := range map[string]struct {
		payload any
		opts    []publisher.Option
	}{
		"codec":        {payload: make(chan int)},
		"too large":    {payload: []byte("12345")},
		"expiration":   {payload: 1, opts: []publisher.Option{publisher.Expiration(-1)}},
		"long string":  {payload: 1, opts: []publisher.Option{publisher.ReplyTo(strings.Repeat("x", 256))}},
		"header value": {payload: 1, opts: []publisher.Option{publisher.Header("h", make(chan int))}},
	} {
		t.Run(name, func(t *testing.T) {
			want := client.Publish(t.Context(), "q", c.payload, c.opts...)
			if want == nil {
				t.Fatal("a Client takes it")
			}
			if err := pub.Publish(t.Context(), "q", c.payload, c.opts...); err == nil || err.Error() != want.Error() {
				t.Errorf("Publish: %v, want %v", err, want)
			}
			if _, err := pub.PublishAsync(t.Context(), "q", c.payload, c.opts...); err == nil || err.Error() != want.Error() {
				t.Errorf("PublishAsync: %v, want %v", err, want)
			}
			good := publisher.Message{RoutingKey: "q", Payload: 1}
			err := pub.PublishBatch(t.Context(), good, publisher.Message{RoutingKey: "q", Payload: c.payload, Options: c.opts})
			var batch *publisher.BatchError
			if !errors.As(err, &batch) || !errors.Is(batch.Errs[0], publisher.ErrNotSent) || batch.Errs[1].Error() != want.Error() {
				t.Errorf("PublishBatch: %v, want %v for number 1", err, want)
			}
			if n := len(pub.Messages()); n != 0 {
				t.Errorf("%d recorded, want none: not the good one of the batch either", n)
			}
		})
	}
}

func TestAnEndedContextSendsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var pub publishertest.Recorder
	if err := pub.Publish(ctx, "q", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Publish: %v", err)
	}
	if _, err := pub.PublishAsync(ctx, "q", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("PublishAsync: %v", err)
	}
	if n := len(pub.Messages()); n != 0 {
		t.Errorf("%d recorded", n)
	}
}

func TestManyGoroutinesMayPublish(t *testing.T) {
	var pub publishertest.Recorder
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			_ = pub.Publish(t.Context(), "q", 1)
			_ = pub.Sent("q")
		})
	}
	all.Wait()
	if n := len(pub.Sent("q")); n != 50 {
		t.Errorf("%d recorded, want 50", n)
	}
}

func TestAMessageWithADelayIsFoundByItsQueueAndByWhereItWaits(t *testing.T) {
	down := errors.New("broker is down")
	pub := publishertest.Recorder{ErrFor: func(key string) error {
		if key == "letters" {
			return down
		}
		return nil
	}}
	due := time.Now().Add(time.Hour)
	for queue, option := range map[string]publisher.Option{"emails": publisher.At(due), "orders": publisher.Delay(0)} {
		if err := pub.Publish(t.Context(), queue, order{7}, option); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"emails", "emails-retry-15m"} {
		if sent := pub.Sent(key); len(sent) != 1 || sent[0].Queue != "emails" || !sent[0].Due.Equal(due) || sent[0].RoutingKey != "emails-retry-15m" {
			t.Errorf("for %s there are %+v", key, sent)
		}
	}
	if sent := pub.Sent("orders"); len(sent) != 1 || sent[0].Queue != "" || !sent[0].Due.IsZero() || sent[0].Headers != nil {
		t.Errorf("without a delay: %+v", sent)
	}
	err := pub.Publish(t.Context(), "letters", order{7}, publisher.Delay(time.Hour))
	if !errors.Is(err, down) || !strings.Contains(err.Error(), `publish to "letters"`) {
		t.Errorf("ErrFor by the queue: %v", err)
	}
	if err := pub.Publish(t.Context(), "emails", order{7}, publisher.Delay(-1)); err == nil || !strings.Contains(err.Error(), `queue "emails": the delay is -1ns`) {
		t.Errorf("bad input: %v", err)
	}
}
