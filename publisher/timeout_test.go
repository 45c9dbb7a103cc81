package publisher_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// wantTimeout checks the error of a call that Config.Timeout has ended.
func wantTimeout(t *testing.T, err error, sent bool, texts ...string) {
	t.Helper()
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, publisher.ErrUnconfirmed) != sent {
		t.Fatalf("got %v, want a deadline, and ErrUnconfirmed: %t", err, sent)
	}
	for _, text := range append(texts, "publisher.Config.Timeout of ") {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("got %q, want %q in it", err, text)
		}
	}
}

// unheard is the URL of a port on which nobody listens.
func unheard(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "amqp://" + l.Addr().String()
}

func TestWithoutABrokerACallWithoutADeadlineEndsByTheTimeout(t *testing.T) {
	pub := client(t, connect(t, connection.Config{URL: unheard(t)}), publisher.Config{Timeout: 300 * time.Millisecond, Window: 4})
	why := []string{"not sent", "connection refused", "of 300ms is over"}

	began := time.Now()
	wantTimeout(t, pub.Publish(context.Background(), "orders", 1), false, why...)
	wantTimeout(t, pub.PublishBatch(context.Background(), publisher.Message{RoutingKey: "orders", Payload: 1}), false, why...)
	c, err := pub.PublishAsync(context.Background(), "orders", 1)
	if err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	wantTimeout(t, c.Err(), false, why...)
	if took := time.Since(began); took < 900*time.Millisecond {
		t.Errorf("three calls took %s, want 300 ms each", took)
	}

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := pub.Publish(ctx, "orders", 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the end of the caller's own context", err)
	}
}

func TestAnAsyncMessageEndsWithItsContextOrTheTimeoutOrItsConfirm(t *testing.T) {
	pub := client(t, connect(t, connection.Config{URL: unheard(t)}), publisher.Config{Timeout: 300 * time.Millisecond})
	ctx, cancel := context.WithCancel(context.Background())
	first, err := pub.PublishAsync(ctx, "orders", 1)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	<-first.Done()
	if err := first.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the end of the context", err)
	}
	ctx, cancel = context.WithCancel(context.Background())
	defer cancel()
	second, err := pub.PublishAsync(ctx, "orders", 1)
	if err != nil {
		t.Fatal(err)
	}
	<-second.Done()
	wantTimeout(t, second.Err(), false)

	q := queue(t, quorum)
	confirmed := client(t, connect(t, connection.Config{}), publisher.Config{Timeout: 10 * time.Second})
	third, err := confirmed.PublishAsync(ctx, q, 1)
	if err != nil {
		t.Fatal(err)
	}
	if <-third.Done(); third.Err() != nil {
		t.Error(third.Err())
	}
}

func TestADeadlineOfTheCallersOwnReplacesTheTimeout(t *testing.T) {
	pub := client(t, connect(t, connection.Config{URL: unheard(t)}), publisher.Config{Timeout: time.Millisecond})
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 400*time.Millisecond)
	defer cancel()
	err := pub.Publish(ctx, "orders", 1)
	if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took < 400*time.Millisecond || strings.Contains(err.Error(), "Config.Timeout") {
		t.Errorf("got %v after %s, want the caller's deadline after 400 ms", err, took)
	}
}

func TestWhatWasSentAndNotConfirmedInTimeIsUnconfirmed(t *testing.T) {
	q := queue(t, quorum)
	pub, _, proxy := through(t, publisher.Config{Timeout: 500 * time.Millisecond, Window: 2}, 0)
	if err := pub.Publish(soon(t), q, 1); err != nil {
		t.Fatal(err)
	}
	proxy.Freeze()
	defer proxy.Thaw()
	first := written(t, pub, q)
	wantTimeout(t, pub.Publish(context.Background(), q, 1), true, "sent, but not confirmed in time")
	<-first.Done()
	wantTimeout(t, first.Err(), true, "of 500ms is over")

	// The window is full: with both, or with one if the key is stuck by now.
	_, err := pub.PublishAsync(context.Background(), q, 1)
	wantTimeout(t, err, false, "messages before it are not confirmed yet")
}

// simulatedClient is a Client on a broker in simulated time.
func simulatedClient(t *testing.T, cfg publisher.Config, latency time.Duration) *publisher.Client {
	t.Helper()
	app := simulated.New(simulated.Options{Latency: latency}).Process("app")
	pub := client(t, connection.Over(app), cfg)
	t.Cleanup(func() { _ = app.Stop(context.Background()) })
	return pub
}

func TestTheTimeoutIsThirtySecondsAndCanBeTurnedOff(t *testing.T) {
	for want, timeout := range map[time.Duration]time.Duration{30 * time.Second: 0, 7 * time.Second: 7 * time.Second, time.Hour: publisher.NoTimeout} {
		synctest.Test(t, func(t *testing.T) {
			pub := simulatedClient(t, publisher.Config{Timeout: timeout}, 30*time.Minute) // to connect takes an hour
			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(59*time.Minute, cancel)
			began := time.Now()
			err := pub.Publish(ctx, "orders", 1)
			if timeout == publisher.NoTimeout {
				if took := time.Since(began); took != 59*time.Minute || !errors.Is(err, context.Canceled) {
					t.Errorf("got %v after %s, want to wait for the context", err, took)
				}
				return
			}
			if took := time.Since(began); took != want {
				t.Errorf("it took %s, want %s", took, want)
			}
			wantTimeout(t, err, false, "not connected yet")
		})
	}
}

// Consumers' copies and moved messages are not a publisher's.
func TestOnlyAPublisherHasATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := simulated.New(simulated.Options{Latency: 30 * time.Minute}).Process("app")
		s := sender(t, connection.Over(app))
		t.Cleanup(func() { _ = app.Stop(context.Background()) })
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(59*time.Minute, cancel)
		began := time.Now()
		err := s.Send(ctx, sending.Envelope{RoutingKey: "orders"})
		if took := time.Since(began); !errors.Is(err, context.Canceled) || took != 59*time.Minute {
			t.Errorf("got %v after %s, want the end of the context", err, took)
		}
	})
}

func TestABatchThatGoesOnIsNotEndedByTheTimeout(t *testing.T) {
	q := queue(t, quorum)
	pub, _, proxy := through(t, publisher.Config{Timeout: 400 * time.Millisecond, Window: 1}, 0)
	if err := pub.Publish(soon(t), q, 1); err != nil {
		t.Fatal(err)
	}
	proxy.Slow(60*time.Millisecond, 1<<10)
	messages := make([]publisher.Message, 10)
	for i := range messages {
		messages[i] = publisher.Message{RoutingKey: q, Payload: i}
	}
	began := time.Now()
	if err := pub.PublishBatch(context.Background(), messages...); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 800*time.Millisecond {
		t.Fatalf("it took %s, which proves nothing", took)
	}
	proxy.Freeze()
	defer proxy.Thaw()
	var batch *publisher.BatchError
	if err := pub.PublishBatch(context.Background(), messages...); !errors.As(err, &batch) || len(batch.Errs) != len(messages) {
		t.Fatalf("got %v, want every message to fail", err)
	}
	wantTimeout(t, batch.Errs[0], true)
	wantTimeout(t, batch.Errs[9], false)
}

func TestABadTimeoutIsRefused(t *testing.T) {
	for _, bad := range []time.Duration{-2, 1} {
		_, err := publisher.New(connect(t, connection.Config{URL: unheard(t)}), publisher.Config{Timeout: bad}, nil)
		if err == nil || !strings.Contains(err.Error(), "Timeout is "+bad.String()) {
			t.Errorf("got %v, want the field and the value", err)
		}
	}
}

func TestABlockedBrokerIsNamedByTheTimeout(t *testing.T) {
	amqptest.Long(t) // a broker of its own
	broker := amqptest.StartBroker(t)
	pub := client(t, connect(t, connection.Config{URL: broker.URL}), publisher.Config{Timeout: time.Second})
	ch, err := amqptest.DialURL(t, broker.URL).Channel()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare("orders", true, false, false, false, quorum); err != nil {
		t.Fatal(err)
	}
	if err := pub.Publish(soon(t), "orders", 1); err != nil {
		t.Fatal(err)
	}
	broker.MemoryAlarm(true)
	var first error
	amqptest.Eventually(t, 20*time.Second, func() bool {
		first = pub.Publish(context.Background(), "orders", 1)
		return first != nil
	}, "the broker takes messages")
	wantTimeout(t, first, true, "the broker takes no messages")
}

func TestAStopDoesNotWaitForMessagesWhoseCallersHaveGone(t *testing.T) {
	pub := client(t, connect(t, connection.Config{URL: unheard(t)}), publisher.Config{Timeout: 50 * time.Millisecond})
	wantTimeout(t, pub.Publish(context.Background(), "orders", 1), false)
	c, err := pub.PublishAsync(context.Background(), "orders", 1)
	if err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	began := time.Now()
	if err := pub.Stop(soon(t)); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("got %v after %s, and there is nobody to wait for", err, time.Since(began))
	}
}
