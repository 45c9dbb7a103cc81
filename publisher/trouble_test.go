package publisher_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// through makes a Client on a Connection that goes through a proxy.
func through(t *testing.T, cfg publisher.Config, heartbeat time.Duration) (*publisher.Client, *connection.Connection, *amqptest.Proxy) {
	t.Helper()
	proxy := amqptest.NewProxy(t, amqptest.URL(t))
	conn := connect(t, connection.Config{URL: proxy.URL(), Heartbeat: heartbeat, DialTimeout: 2 * time.Second})
	return client(t, conn, cfg), conn, proxy
}

// written starts a publish and waits until the message is on the wire.
func written(t *testing.T, pub *publisher.Client, queue string, opts ...publisher.Option) publisher.Confirmation {
	t.Helper()
	c, err := pub.PublishAsync(context.Background(), queue, 1, opts...)
	if err != nil {
		t.Fatal(err)
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return publisher.Written(c) }, "the message is not written")
	return c
}

func TestWhatIsConfirmedIsThereHoweverOftenTheConnectionIsCut(t *testing.T) {
	const publishers, messages = 16, 5000
	q := queue(t, quorum)
	pub, conn, proxy := through(t, publisher.Config{Window: 256}, 0)
	if err := pub.Start(soon(t)); err != nil {
		t.Fatal(err)
	}

	var next, confirmed atomic.Int64
	var all sync.WaitGroup
	want := make([][]string, publishers)
	ctx := within(t, 2*time.Minute)
	for p := range publishers {
		all.Go(func() {
			for {
				i := int(next.Add(1))
				if i > messages {
					return
				}
				if err := pub.Publish(ctx, q, i, publisher.MessageID(id(i))); err != nil {
					t.Errorf("%d: %v", i, err)
					return
				}
				if confirmed.Add(1)%150 == 0 {
					proxy.Cut()
				}
				want[p] = append(want[p], id(i))
			}
		})
	}
	all.Wait()
	t.Logf("%d confirmed over %d lost connections", confirmed.Load(), conn.Health().Publishing.Lost)

	var every []string
	for _, w := range want {
		every = append(every, w...)
	}
	account(t, q, every)
}

func TestPublishAsyncWaitsForRoomOnly(t *testing.T) {
	q := queue(t, quorum)
	pub, _, proxy := through(t, publisher.Config{Window: 4}, 0)
	if err := pub.Start(soon(t)); err != nil {
		t.Fatal(err)
	}
	proxy.Freeze()
	var sent []publisher.Confirmation
	var want []string
	for range 4 {
		c, err := pub.PublishAsync(context.Background(), q, 1)
		if err != nil {
			t.Fatal(err)
		}
		if c.Err() != nil {
			t.Errorf("an error before it is done: %v", c.Err())
		}
		sent, want = append(sent, c), append(want, c.MessageID())
	}
	_, err := pub.PublishAsync(within(t, 200*time.Millisecond), q, 1)
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, publisher.ErrUnconfirmed) || !strings.Contains(err.Error(), "not sent, 4 messages before it") {
		t.Errorf("the fifth: %v", err)
	}
	proxy.Thaw()
	for _, c := range sent {
		select {
		case <-c.Done():
		case <-soon(t).Done():
			t.Fatal("not confirmed after the thaw")
		}
		if c.Err() != nil {
			t.Error(c.Err())
		}
	}
	account(t, q, want) // and not the fifth message
}

func TestPublishOnAFrozenConnectionEndsWithItsContext(t *testing.T) {
	for _, after := range []string{"thaw", "cut", "heartbeats are missed"} {
		t.Run(after, func(t *testing.T) {
			t.Parallel()
			q := queue(t, quorum)
			heartbeat := time.Duration(0)
			if after == "heartbeats are missed" {
				heartbeat = time.Second
			}
			pub, conn, proxy := through(t, publisher.Config{Window: 2}, heartbeat)
			if err := pub.Publish(soon(t), q, 1, publisher.MessageID("first")); err != nil {
				t.Fatal(err)
			}
			proxy.Freeze()
			confirmation := written(t, pub, q, publisher.MessageID("stays"))
			err := pub.Publish(within(t, 200*time.Millisecond), q, 1, publisher.MessageID("unknown"))
			if !errors.Is(err, publisher.ErrUnconfirmed) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("on the wire: %v, want ErrUnconfirmed", err)
			}
			err = pub.Publish(within(t, 200*time.Millisecond), q, 1, publisher.MessageID("not sent"))
			if errors.Is(err, publisher.ErrUnconfirmed) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "not sent") {
				t.Errorf("without room: %v, want that it was not sent", err)
			}
			switch after {
			case "thaw":
				proxy.Thaw()
			case "cut":
				proxy.Cut()
				proxy.Thaw()
			default:
				frozen := time.Now()
				amqptest.Eventually(t, 10*time.Second, func() bool { return conn.Health().Publishing.Lost > 0 }, "the connection is not given up")
				if took := time.Since(frozen); took > 2*time.Second {
					t.Errorf("noticed after %s", took)
				}
				proxy.Thaw()
			}
			if err := pub.Publish(soon(t), q, 1, publisher.MessageID("after")); err != nil {
				t.Errorf("afterwards: %v", err)
			}
			<-confirmation.Done()
			if confirmation.Err() != nil {
				t.Errorf("the one in flight: %v", confirmation.Err())
			}
			got := ids(t, q)
			if got["first"] != 1 || got["after"] != 1 || got["stays"] == 0 || got["not sent"] != 0 {
				t.Errorf("in the queue: %v", got)
			}
		})
	}
}

func TestWithoutABrokerTheErrorSaysNotSentAndWhy(t *testing.T) {
	proxy := amqptest.NewProxy(t, amqptest.URL(t))
	proxy.Refuse()
	pub := client(t, connect(t, connection.Config{URL: proxy.URL()}), publisher.Config{})
	err := pub.Publish(within(t, 300*time.Millisecond), "q", 1)
	if errors.Is(err, publisher.ErrUnconfirmed) || !errors.Is(err, context.DeadlineExceeded) ||
		!strings.Contains(err.Error(), "not sent: not connected") || !strings.Contains(err.Error(), proxy.Addr()) {
		t.Errorf("got %v", err)
	}
	async, err := pub.PublishAsync(within(t, 100*time.Millisecond), "q", 1)
	if err != nil {
		t.Fatal(err)
	}
	<-async.Done()
	if err := async.Err(); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "not sent") {
		t.Errorf("async: %v", err)
	}

	// Messages that wait are sent when the broker is back.
	q := queue(t, quorum)
	waits, err := pub.PublishAsync(context.Background(), q, 1)
	if err != nil {
		t.Fatal(err)
	}
	proxy.Accept()
	select {
	case <-waits.Done():
	case <-soon(t).Done():
		t.Fatal("not sent when the broker is back")
	}
	if waits.Err() != nil {
		t.Error(waits.Err())
	}
	account(t, q, []string{waits.MessageID()})
}

func TestStopEndsWhoStillWaits(t *testing.T) {
	q := queue(t, quorum)
	pub, _, proxy := through(t, publisher.Config{}, 0)
	// This publish opens the channel.
	if err := pub.Publish(soon(t), q, 1); err != nil {
		t.Fatal(err)
	}
	proxy.Freeze()
	waiting := make(chan error, 1)
	go func() { waiting <- pub.Publish(context.Background(), q, 1) }()
	amqptest.Eventually(t, 10*time.Second, func() bool { return publisher.InFlight(pub) == 1 }, "nothing is in flight")
	async := written(t, pub, q)

	err := pub.Stop(within(t, 300*time.Millisecond))
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "2 messages are not confirmed") {
		t.Errorf("Stop: %v", err)
	}
	for name, err := range map[string]error{"Publish": <-waiting, "PublishAsync": func() error { <-async.Done(); return async.Err() }()} {
		if !errors.Is(err, publisher.ErrUnconfirmed) || !errors.Is(err, publisher.ErrClosed) {
			t.Errorf("%s: %v, want ErrUnconfirmed", name, err)
		}
	}
}

func TestStopWaitsForWhatIsInFlight(t *testing.T) {
	q := queue(t, quorum)
	pub := client(t, connect(t, connection.Config{}), publisher.Config{})
	var sent []publisher.Confirmation
	var want []string
	for range 200 {
		c, err := pub.PublishAsync(soon(t), q, 1)
		if err != nil {
			t.Fatal(err)
		}
		sent, want = append(sent, c), append(want, c.MessageID())
	}
	var stops sync.WaitGroup // concurrently, too
	for range 3 {
		stops.Go(func() {
			if err := pub.Stop(soon(t)); err != nil {
				t.Errorf("Stop: %v", err)
			}
		})
	}
	stops.Wait()
	for _, c := range sent {
		<-c.Done()
		if c.Err() != nil {
			t.Fatal(c.Err())
		}
	}
	account(t, q, want)

	if err := pub.Stop(soon(t)); err != nil {
		t.Errorf("Stop again: %v", err)
	}
	if err := pub.Publish(soon(t), q, 1); !errors.Is(err, publisher.ErrClosed) || errors.Is(err, publisher.ErrUnconfirmed) {
		t.Errorf("Publish after Stop: %v, want ErrClosed", err)
	}
	if _, err := pub.PublishAsync(soon(t), q, 1); !errors.Is(err, publisher.ErrClosed) {
		t.Errorf("PublishAsync after Stop: %v, want ErrClosed", err)
	}
	if err := pub.PublishBatch(soon(t), publisher.Message{RoutingKey: q}); !errors.Is(err, publisher.ErrClosed) {
		t.Errorf("PublishBatch after Stop: %v, want ErrClosed", err)
	}
}

func TestStopBeforeAnythingWasPublished(t *testing.T) {
	pub := client(t, connect(t, connection.Config{}), publisher.Config{})
	for range 2 {
		if err := pub.Stop(soon(t)); err != nil {
			t.Error(err)
		}
	}
	if err := pub.Publish(soon(t), "q", 1); !errors.Is(err, publisher.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
}

func TestAStoppedConnectionEndsWhoWaits(t *testing.T) {
	q := queue(t, quorum)
	pub, conn, proxy := through(t, publisher.Config{}, 0)
	// This publish opens the channel.
	if err := pub.Publish(soon(t), q, 1); err != nil {
		t.Fatal(err)
	}
	proxy.Freeze()
	async := written(t, pub, q)
	conn.Abort()
	select {
	case <-async.Done():
	case <-soon(t).Done():
		t.Fatal("still waiting")
	}
	if err := async.Err(); !errors.Is(err, publisher.ErrUnconfirmed) || !errors.Is(err, connection.ErrClosed) {
		t.Errorf("got %v, want ErrUnconfirmed", err)
	}
	if err := pub.Publish(soon(t), q, 1); !errors.Is(err, connection.ErrClosed) || errors.Is(err, publisher.ErrUnconfirmed) {
		t.Errorf("afterwards: %v, want connection.ErrClosed", err)
	}
}

func TestAContextThatHasEndedSendsNothing(t *testing.T) {
	q := queue(t, quorum)
	pub := client(t, connect(t, connection.Config{}), publisher.Config{})
	ctx, cancel := context.WithCancelCause(context.Background())
	why := errors.New("the caller has gone")
	cancel(why)
	if err := pub.Publish(ctx, q, 1); !errors.Is(err, why) || !strings.Contains(err.Error(), "not sent") {
		t.Errorf("Publish: %v", err)
	}
	if _, err := pub.PublishAsync(ctx, q, 1); !errors.Is(err, why) {
		t.Errorf("PublishAsync: %v", err)
	}
	if n := amqptest.Depth(t, q); n != 0 {
		t.Errorf("%d messages in the queue", n)
	}
}
