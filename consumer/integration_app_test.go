package consumer_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

func TestAQueueWithArgumentsOfItsOwnIsAdoptedBySatellites(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "adopted")
	if _, err := amqptest.Channel(t).QueueDeclare(queue, true, false, false, false, amqp.Table{"x-max-length": int64(1000)}); err != nil {
		t.Fatal(err)
	}
	spec := consumer.Spec{Queue: queue, Backoff: []time.Duration{200 * time.Millisecond}, MaxRetries: 1, Handler: always(consumer.Retry(nil))}
	c, err := consumer.New(r.conn, spec, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var mismatch *topology.MismatchError
	if err := c.Start(r.ctx); !errors.As(err, &mismatch) || mismatch.Name != queue {
		t.Errorf("without Satellites the error is %v, want a MismatchError of %s", err, queue)
	}
	spec.Declare = topology.Satellites
	r.start(spec)
	r.publish(queue, "x")
	if o := r.outcomes(2); o[0].Action != monitoring.Retried || o[1].Action != monitoring.Parked {
		t.Errorf("the outcomes are %v", o)
	}
	depths(t, map[string]int{queue + "-error": 1})
}

func TestNeverNamesTheQueueThatIsMissing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "never")
	c, err := consumer.New(r.conn, consumer.Spec{Queue: queue, Declare: topology.Never, Handler: always(consumer.Ack())}, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(r.ctx); !errors.Is(err, topology.ErrMissing) || !strings.Contains(err.Error(), queue) {
		t.Errorf("the error is %v, want ErrMissing with the queue's name", err)
	}
}

// A handler forwards the headers of what it got, as people do: the next consumer must not
// inherit our counts or reasons.
func TestAHandlerThatForwardsItsHeadersForwardsNoCounts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	from, to := amqptest.Queue(t, "from"), amqptest.Queue(t, "to")
	r.start(consumer.Spec{
		Queue: from, Backoff: []time.Duration{100 * time.Millisecond},
		Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result {
			if d.Attempt < 3 {
				return consumer.Retry(errors.New("not yet"))
			}
			headers := maps.Clone(d.Headers)
			headers["hop"] = 1
			return consumer.FromError(func(ctx context.Context, m consumer.Message[[]byte]) error {
				return r.pub.Publish(ctx, to, m.Body, publisher.Headers(headers), publisher.MessageID(m.MessageID))
			})(ctx, consumer.Message[[]byte]{Delivery: d})
		},
	})
	got := make(chan consumer.Delivery, 1)
	r.start(consumer.Spec{Queue: to, Handler: func(_ context.Context, d consumer.Delivery) consumer.Result { got <- d; return consumer.Ack() }})
	r.publish(from, "x", publisher.Header("tenant", "acme"), publisher.MessageID("m1"))
	d := <-got
	if d.Attempt != 1 || d.MessageID != "m1" || d.RoutingKey != to {
		t.Errorf("the forwarded message is %+v", d)
	}
	if want := map[string]any{"tenant": "acme", "hop": int64(1)}; !maps.Equal(d.Headers, want) {
		t.Errorf("its headers are %v, want %v", d.Headers, want)
	}
}

func TestARetriedMessageKeepsItsPropertiesAndShowsWhereItCameFrom(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "keep")
	exchange := queue + "-events"
	amqptest.Cleanup(t, exchange)
	got := make(chan consumer.Delivery, 3)
	r.start(consumer.Spec{
		Queue: queue, Backoff: []time.Duration{100 * time.Millisecond}, MaxRetries: 2,
		Bindings: []topology.Bind{{Exchange: exchange, Kind: "topic", Keys: []string{"order.*.paid"}}},
		Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
			got <- d
			if d.Attempt <= 2 {
				return consumer.Retry(nil)
			}
			return consumer.Ack()
		},
	})
	when := time.Now().Add(-time.Hour).Truncate(time.Second)
	sent := amqp.Publishing{
		Headers: amqp.Table{
			"text": "t", "int": int32(-3), "long": int64(1) << 40, "float": 1.5, "yes": true, "nothing": nil, "bytes": []byte{0, 255},
			"when": when.UTC(), "list": []any{int64(1), "two"}, "table": amqp.Table{"deep": amqp.Table{"er": int64(1)}}, "x-mine": "kept",
			"CC": []any{"nowhere"},
		},
		ContentType: "text/plain", ContentEncoding: "identity", Priority: 3, CorrelationId: "c", ReplyTo: "r", Expiration: "600000",
		MessageId: "id", Timestamp: when, Type: "order.paid", AppId: "shop", UserId: "bunnicula", Body: []byte("body"),
	}
	amqptest.Publish(t, exchange, "order.17.paid", sent)
	r.outcomes(3)
	for i := range 3 {
		d := <-got
		if d.Attempt != i+1 || d.Exchange != exchange || d.RoutingKey != "order.17.paid" || d.Expiration != "600000" || d.UserID != "bunnicula" ||
			d.MessageID != "id" || d.CorrelationID != "c" || d.ReplyTo != "r" || d.Type != "order.paid" || d.AppID != "shop" || d.Priority != 3 ||
			d.ContentType != "text/plain" || d.ContentEncoding != "identity" || !d.Timestamp.Equal(when) || string(d.Body) != "body" {
			t.Errorf("attempt %d is %+v", i+1, d)
		}
		want := maps.Clone(sent.Headers)
		delete(want, "CC")
		if !equalHeaders(d.Headers, want) {
			t.Errorf("attempt %d has the headers %v, want %v", i+1, d.Headers, want)
		}
	}
}

func TestADeletedQueueIsDeclaredAgainUnlessToldNotTo(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "deleted")
	c := r.start(consumer.Spec{Queue: queue, Backoff: []time.Duration{200 * time.Millisecond}, Handler: always(consumer.Ack())})
	ch := amqptest.Channel(t)
	if _, err := ch.QueueDelete(queue, false, false, false); err != nil {
		t.Fatal(err)
	}
	amqptest.Eventually(t, 30*time.Second, func() bool { return amqptest.Exists(t, queue) && c.Health().Subscribed }, "the queue is not consumed again")
	r.publish(queue, "x")
	r.outcomes(1)

	off := amqptest.Queue(t, "left")
	fatal := make(chan error, 10)
	c = r.start(consumer.Spec{Queue: off, Redeclare: consumer.RedeclareOff, OnFatal: func(err error) { fatal <- err }, Handler: always(consumer.Ack())})
	if _, err := ch.QueueDelete(off, false, false, false); err != nil {
		t.Fatal(err)
	}
	if err := <-fatal; !strings.Contains(err.Error(), off) {
		t.Errorf("OnFatal got %v, want an error that names %s", err, off)
	}
	if amqptest.Exists(t, off) {
		t.Error("the queue was declared again")
	}
	if h := c.Health(); h.Ready || h.Err == nil {
		t.Errorf("health is %+v, want not ready, and why", h)
	}
}

func TestADeletedRetryQueueIsDeclaredAgainForTheCopyThatNeedsIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "noretry")
	r.start(consumer.Spec{Queue: queue, Backoff: []time.Duration{300 * time.Millisecond}, MaxRetries: 1, Handler: always(consumer.Retry(nil))})
	if _, err := amqptest.Channel(t).QueueDelete(queue+"-retry-300ms", false, false, false); err != nil {
		t.Fatal(err)
	}
	r.publish(queue, "x")
	r.outcomes(2)
	depths(t, map[string]int{queue + "-error": 1})
}

func TestACopyThatCannotBePlacedIsHeldAndPlacedLater(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "blocked")
	ch := amqptest.Channel(t)
	one := amqp.Table{"x-max-length": int64(1), "x-overflow": "reject-publish"}
	if _, err := ch.QueueDeclare(queue+"-error", true, false, false, false, one); err != nil {
		t.Fatal(err)
	}
	amqptest.Publish(t, "", queue+"-error", amqp.Publishing{Body: []byte("in the way")})
	spec := consumer.Spec{Queue: queue, QueueType: topology.Classic, Declare: topology.Never, Redeclare: consumer.RedeclareOff, Backoff: []time.Duration{time.Hour}, Handler: always(consumer.Error(errors.New("no")))}
	for name, args := range map[string]amqp.Table{queue: nil, queue + "-retry-1h": nil} {
		if _, err := ch.QueueDeclare(name, true, false, false, false, args); err != nil {
			t.Fatal(err)
		}
	}
	c := r.start(spec)
	r.publish(queue, "x")
	amqptest.Eventually(t, 10*time.Second, func() bool { return c.Health().CopiesBlocked == 1 }, "health does not say that a copy is blocked")
	if n := len(r.ended.Outcomes()); n != 0 {
		t.Errorf("%d outcomes, want none: nothing is settled", n)
	}
	if d := amqptest.Get(t, queue+"-error"); string(d.Body) != "in the way" {
		t.Errorf("%s was parked in a full queue", d.Body)
	}
	r.outcomes(1)
	r.stop(c)
	if h := c.Health(); h.CopiesBlocked != 0 {
		t.Errorf("health is %+v", h)
	}
	depths(t, map[string]int{queue: 0, queue + "-error": 1})
}

func TestTwoConnectionsInOneApp(t *testing.T) {
	t.Parallel()
	shop, billing := amqptest.Queue(t, "shop"), amqptest.Queue(t, "billing")
	done := make(chan string, 2)
	type named struct {
		fx.In

		Billing publisher.Publisher `name:"billing"`
	}
	var pub publisher.Publisher
	app := fxtest.New(t,
		connection.Module, publisher.Module, consumer.Module,
		fx.Supply(connection.Config{URL: amqptest.URL(t), Name: "shop"}, slog.New(slog.DiscardHandler)),
		connection.Named("billing", connection.Config{URL: amqptest.URL(t), Name: "billing"}),
		publisher.Named("billing", publisher.Config{}),
		consumer.Provide(
			func(p named) consumer.Spec {
				return consumer.Spec{Queue: shop, Handler: consumer.JSON(func(ctx context.Context, m consumer.Message[string]) consumer.Result {
					done <- "shop " + m.Payload
					if err := p.Billing.Publish(ctx, billing, m.Payload); err != nil {
						return consumer.Retry(err)
					}
					return consumer.Ack()
				})}
			},
			func() (consumer.Spec, error) {
				return consumer.Spec{Queue: billing, Connection: "billing", Handler: consumer.JSON(func(_ context.Context, m consumer.Message[string]) consumer.Result {
					done <- "billing " + m.Payload
					return consumer.Ack()
				})}, nil
			},
		),
		fx.Populate(&pub),
		fx.NopLogger,
	)
	app.RequireStart()
	if err := pub.Publish(t.Context(), shop, "x"); err != nil {
		t.Fatal(err)
	}
	if a, b := <-done, <-done; a != "shop x" || b != "billing x" {
		t.Errorf("handled %q and %q", a, b)
	}
	app.RequireStop()
	depths(t, map[string]int{shop: 0, billing: 0})
}

func TestAConsumerOfHigherPriorityIsPreferredWhileItHasRoom(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "priority")
	got := make(chan string, 50)
	for name, priority := range map[string]int{"low": -1, "high": 7} {
		r.start(consumer.Spec{Queue: queue, Name: name, Priority: priority, Concurrency: 1, Prefetch: 10, Handler: func(context.Context, consumer.Delivery) consumer.Result {
			got <- name
			return consumer.Ack()
		}})
	}
	for range 20 { // one after the other, so that there always is room
		r.publish(queue, "x")
		if name := <-got; name != "high" {
			t.Errorf("%s got a message, want high", name)
		}
	}
}
