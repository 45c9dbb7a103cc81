package publisher_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// The broker is the test's own, because an alarm blocks every publisher of a broker.
func TestABrokerOfOurOwn(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a broker")
	}
	broker := amqptest.StartBroker(t)
	t.Run("a memory alarm blocks, says so, and passes", func(t *testing.T) { memoryAlarm(t, broker) })
	t.Run("a message that would end the connection fails alone", func(t *testing.T) { connectionKiller(t, broker) })
	t.Run("a wrong user is an error at the first publish", func(t *testing.T) { wrongUser(t, broker) })
}

func memoryAlarm(t *testing.T, broker *amqptest.Broker) {
	conn := connect(t, connection.Config{URL: broker.URL})
	var mu sync.Mutex
	var kinds []string
	conn.Notify(func(e connection.Event) {
		mu.Lock()
		defer mu.Unlock()
		if e.Kind == connection.Blocked && e.Reason == "" {
			t.Error("Blocked without a reason")
		}
		kinds = append(kinds, e.Kind.String())
	})
	told := func(kind string) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return slices.Contains(kinds, kind)
		}
	}
	pub := client(t, conn, publisher.Config{})
	q := on(t, broker)
	if err := pub.Publish(soon(t), q, 1); err != nil {
		t.Fatal(err)
	}

	broker.Ctl("set_vm_memory_high_watermark", "0.00001")
	clear := sync.OnceFunc(func() { broker.Ctl("set_vm_memory_high_watermark", "0.4") })
	t.Cleanup(clear)
	// The broker reports its alarm when somebody publishes.
	waits, err := pub.PublishAsync(context.Background(), q, 1)
	if err != nil {
		t.Fatal(err)
	}
	amqptest.Eventually(t, 10*time.Second, told("blocked"), "no notice of the alarm")
	if h := conn.Health(); h.OK() || h.Publishing.Blocked == "" || !h.Publishing.Connected {
		t.Errorf("health: %+v", h)
	}
	err = pub.Publish(within(t, 300*time.Millisecond), q, 1)
	if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, publisher.ErrUnconfirmed) ||
		!strings.Contains(err.Error(), "not sent: the broker takes no messages (low on memory)") {
		t.Errorf("Publish under the alarm: %v", err)
	}
	began := time.Now()
	if err := pub.Stop(within(t, 300*time.Millisecond)); err == nil {
		t.Error("Stop with a message in flight: no error")
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("Stop took %s", took)
	}
	<-waits.Done()
	if waits.Err() == nil {
		t.Error("it was confirmed under the alarm")
	}

	pub = client(t, conn, publisher.Config{}) // on the same session, which is blocked
	waits, err = pub.PublishAsync(context.Background(), q, 1, publisher.MessageID("waits"))
	if err != nil {
		t.Fatal(err)
	}
	clear()
	amqptest.Eventually(t, 10*time.Second, told("unblocked"), "no notice of its end")
	select {
	case <-waits.Done():
	case <-soon(t).Done():
		t.Fatal("not confirmed after the alarm")
	}
	if waits.Err() != nil {
		t.Errorf("after the alarm: %v", waits.Err())
	}
	if err := pub.Publish(soon(t), q, 1); err != nil {
		t.Error(err)
	}
}

// on declares a queue on the broker.
func on(t *testing.T, broker *amqptest.Broker) string {
	t.Helper()
	ch, err := amqptest.DialURL(t, broker.URL).Channel()
	if err != nil {
		t.Fatal(err)
	}
	name := "publisher-" + sending.NewID()
	if _, err := ch.QueueDeclare(name, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
		t.Fatal(err)
	}
	return name
}

// connectionKiller checks a broker whose frames are smaller than the client asks for. Such a broker
// would end the connection at large headers, so they are not written.
func connectionKiller(t *testing.T, broker *amqptest.Broker) {
	broker.Ctl("eval", "application:set_env(rabbit, frame_max, 8192).")
	t.Cleanup(func() { broker.Ctl("eval", "application:set_env(rabbit, frame_max, 131072).") })
	s := sender(t, connect(t, connection.Config{URL: broker.URL}))
	q := on(t, broker)
	start := make(chan struct{})
	var all sync.WaitGroup
	for i := range 16 {
		env := sending.Envelope{RoutingKey: q, Publishing: amqp.Publishing{MessageId: id(i)}}
		if i == 7 {
			env.Headers = amqp.Table{"large": strings.Repeat("x", 16<<10)}
		}
		all.Go(func() {
			<-start
			err := s.Send(soon(t), env)
			if i == 7 {
				if !errors.Is(err, sending.ErrTooLarge) {
					t.Errorf("got %v, want %v", err, sending.ErrTooLarge)
				}
			} else if err != nil {
				t.Errorf("neighbour %d: %v", i, err)
			}
		})
	}
	close(start)
	all.Wait()
}

func wrongUser(t *testing.T, broker *amqptest.Broker) {
	u, err := url.Parse(broker.URL)
	if err != nil {
		t.Fatal("the broker's URL is not one")
	}
	u.User = url.UserPassword("nobody", "hunter2")
	pub := client(t, connect(t, connection.Config{URL: u.String()}), publisher.Config{})
	err = pub.Publish(soon(t), "q", 1)
	if !transport.Permanent(err) || !strings.Contains(err.Error(), `user "nobody"`) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}
