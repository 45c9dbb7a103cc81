package wirefixtures_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func TestWireOfPublishers(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil)
	s.publish("order-1")
	s.compare("published-by-go", "A message that a Publisher of Go has published to an exchange to which the queue is bound.", s.queue)
	s.bare()
	s.compare("published-bare", "A message that another language has published with nothing but a body, to the default exchange.", s.queue)
}

// The one that waits again has come after an hour to a consumer that still has half an hour to
// wait.
func TestWireOfMessagesWithADelay(t *testing.T) {
	t.Parallel()
	s := newScene(t, nil, func(s *consumer.Spec) { s.Delays = []time.Duration{time.Hour} }) // of the Ladder
	s.publishTo("", s.queue, "order-1", publisher.Delay(90*time.Minute))
	d := amqptest.Get(t, s.queue+"-retry-1h")
	d.RoutingKey = s.queue // as the broker dead-letters it
	early := s.process(d)
	s.publishTo("", s.queue, "order-1", publisher.Delay(90*time.Minute))
	s.compare("published-delayed", "A message that a Publisher of Go has published to be handled in 90 minutes. It waits an hour at first.", s.queue+"-retry-1h")
	s.put(early)
	s.compare("waiting-delayed", "A message that was published with a delay, and came to its consumer before it was due.", s.queue+"-retry-1h")
}

func TestWireOfWaitingCopies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, about, queue string
		bare               bool
		result             func(attempt int) consumer.Result
	}{
		{"waiting-retried", "A message that was retried twice, as it waits for its third attempt.", "-retry-10s", false,
			func(int) consumer.Result { return consumer.Retry(errors.New("mail server: connection refused")) }},
		{"waiting-retry-after", "A message whose handler has asked for a retry after 25 s. It waits 10 s at a time, until the time in bunnicula-not-before.", "-retry-10s", false,
			func(int) consumer.Result {
				return consumer.RetryAfter(25*time.Second, errors.New("mail server: too busy"))
			}},
		{"waiting-snoozed", "A message that was snoozed for 25 s: no attempt was used.", "-retry-10s", false,
			func(int) consumer.Result { return consumer.Snooze(25 * time.Second) }},
		{"waiting-bare", "A message that was published with nothing but a body, retried once. The id is the consumer's.", "-retry-10s", true,
			func(int) consumer.Result { return consumer.RetryAfter(10*time.Second, errors.New("not now")) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, func(_ context.Context, d consumer.Delivery) consumer.Result { return c.result(d.Attempt) })
			if c.bare {
				s.bare()
			} else {
				s.publish("order-1")
			}
			s.start()
			s.compare(c.name, c.about, s.queue+c.queue)
		})
	}
}

func TestWireOfParkedMessages(t *testing.T) {
	t.Parallel()
	panics := func(context.Context, consumer.Delivery) consumer.Result { panic("index out of range [3]") }
	hangs := func(ctx context.Context, _ consumer.Delivery) consumer.Result {
		<-ctx.Done()
		return consumer.Retry(ctx.Err())
	}
	says := func(r consumer.Result) consumer.Handler {
		return func(context.Context, consumer.Delivery) consumer.Result { return r }
	}
	never := func(s *consumer.Spec) { s.MaxRetries, s.Backoff = consumer.NoRetries, nil }
	for _, c := range []struct {
		name, about string
		handler     consumer.Handler
		change      func(*consumer.Spec)
	}{
		{"parked-error", "A message that its handler has given up.", says(consumer.Error(errors.New("order has no email"))), never},
		{"parked-retries-exhausted", "A message that has failed in each attempt, of which there were three.", says(consumer.Retry(errors.New("mail server: connection refused"))),
			func(s *consumer.Spec) { s.MaxRetries, s.Backoff = 2, s.Backoff[:1] }},
		{"parked-timeout", "A message whose handler has run past its timeout in its last attempt.", hangs,
			func(s *consumer.Spec) { never(s); s.Timeout = 50 * time.Millisecond }},
		{"parked-panic", "A message whose handler has panicked in its last attempt.", panics, never},
		{"parked-undecodable", "A message whose body could not be decoded.", consumer.JSON(func(context.Context, consumer.Message[string]) consumer.Result { return consumer.Ack() }), never},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t, c.handler, c.change)
			s.publish("order-1")
			s.start()
			s.compare(c.name, c.about, s.queue+"-error")
		})
	}
}

// TestWireOfTheCrashGuard asks Process for the copies: a real hearing takes 10 s.
func TestWireOfTheCrashGuard(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() })
	s.publish("order-1")
	d := amqptest.Get(t, s.queue)
	d.Redelivered, d.Headers["x-delivery-count"] = true, int64(2)
	aside := s.process(d)
	s.put(aside)
	s.compare("quarantine-set-aside", "A message that was returned twice, and waits in quarantine to be handled alone.", s.queue+"-quarantine")

	d = again(aside, 8)
	hearing := s.process(d)
	s.put(hearing)
	s.compare("quarantine-hearing", "A message that was returned eight times from quarantine. It has its hearing, and is parked when that is over.", s.queue+"-quarantine")

	hearing.Headers["bunnicula-crashed-at"] = time.Now().Add(-time.Minute).UTC().Format(time.RFC3339Nano)
	s.put(s.process(again(hearing, 0)))
	s.compare("parked-crashed", "A message over which its process has died ten times. No handler ran for this attempt.", s.queue+"-error")
}

// again returns a copy as the broker delivers it after so many returns.
func again(c *consumer.Copy, returns int64) amqp.Delivery {
	p := c.Publishing
	p.Headers["x-delivery-count"] = returns
	return amqp.Delivery{
		Exchange: c.Exchange, RoutingKey: c.RoutingKey, Headers: p.Headers, ContentType: p.ContentType, DeliveryMode: p.DeliveryMode,
		MessageId: p.MessageId, Timestamp: p.Timestamp, Type: p.Type, CorrelationId: p.CorrelationId, AppId: p.AppId,
		Body: p.Body, Redelivered: returns > 0,
	}
}

func TestWireOfWhatComesBack(t *testing.T) {
	t.Parallel()
	s := newScene(t, func(context.Context, consumer.Delivery) consumer.Result {
		return consumer.Error(errors.New("order has no email"))
	})
	s.publish("order-1")
	s.start()
	amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, s.queue+"-error") == 1 }, "nothing is parked")
	s.stop(10 * time.Second)
	q, err := errorqueue.Open(t.Context(), s.conn, errorqueue.Config{Queue: s.queue}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if report, err := q.Redrive(t.Context(), errorqueue.RedriveOptions{All: true}); err != nil || report.Moved != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	s.compare("redriven", "A message that was parked and then redriven: it begins with its first attempt again.", s.queue)

	s = newScene(t, func(ctx context.Context, _ consumer.Delivery) consumer.Result {
		<-ctx.Done()
		return consumer.Retry(ctx.Err())
	})
	s.publish("order-1")
	s.start()
	amqptest.Eventually(t, 10*time.Second, func() bool { return s.consumer.Health().Running == 1 }, "no handler runs")
	s.stop(time.Second)
	s.compare("interrupted", "A message whose handler was cancelled by a stop: a copy in its own queue, with no attempt used.", s.queue)
}

func TestWireOfTheBroker(t *testing.T) {
	t.Parallel()
	version := ""
	for _, v := range []string{"3.10", "4.3"} {
		if strings.HasPrefix(amqptest.Version(t), v+".") {
			version = v
		}
	}
	if version == "" {
		t.Skipf("there are no files of RabbitMQ %s", amqptest.Version(t))
	}
	s := newScene(t, nil, func(s *consumer.Spec) {
		s.MaxCrashes, s.Arguments = 3, amqp.Table{"x-delivery-limit": int64(4)}
	})
	about := func(what string) string {
		return "A message that RabbitMQ " + version + " itself has parked, since " + what + "."
	}
	s.publish("order-1", publisher.Expiration(50*time.Millisecond))
	s.compare("broker-expired-"+version, about("the expiration of its publisher ended in the main queue"), s.queue+"-error")

	s.publish("order-1")
	ch := amqptest.Channel(t)
	d, ok, err := ch.Get(s.queue, false)
	if err != nil || !ok {
		t.Fatalf("%v, %v", ok, err)
	}
	if err := d.Reject(false); err != nil {
		t.Fatal(err)
	}
	s.compare("broker-rejected-"+version, about("a consumer has rejected it without requeue"), s.queue+"-error")

	s.publish("order-1")
	for range 5 {
		amqptest.Fail(t, s.queue)
	}
	s.compare("broker-delivery-limit-"+version, about("it was returned more often than x-delivery-limit allows"), s.queue+"-error")

	failed := make(chan struct{})
	s.spec.Handler = func(context.Context, consumer.Delivery) consumer.Result {
		s.consumer.Pause() // so that it is not there when the message comes back
		close(failed)
		return consumer.RetryAfter(100*time.Millisecond, errors.New("mail server: connection refused"))
	}
	s.start()
	s.publish("order-1")
	<-failed
	s.stop(10 * time.Second)
	s.compare("broker-came-back-"+version, "A message that has waited in a retry queue of RabbitMQ "+version+", and lies in the main queue for its second attempt.", s.queue)
}
