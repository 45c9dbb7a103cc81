package brokertest_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/brokertest"
	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

func declareClassic(t *testing.T, queue string) {
	t.Helper()
	if _, err := amqptest.Channel(t).QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "classic"}); err != nil {
		t.Fatal(err)
	}
}

// adopting is an app whose consumer takes a queue as it is.
func adopting(queue string, mode topology.Mode) fx.Option {
	return fx.Options(connection.Module, publisher.Module, consumer.Module, fx.NopLogger, consumer.Provide(func() consumer.Spec {
		return consumer.Spec{Queue: queue, QueueType: topology.Classic, Declare: mode, Handler: consumer.JSON(acked)}
	}))
}

func TestAQueueThatMayBeSomebodysIsNotTouched(t *testing.T) {
	queue := amqptest.Queue(t, "brokertest")
	declareClassic(t, queue)
	amqptest.Publish(t, "", queue, amqp.Publishing{Body: []byte("somebody's")})
	text := says(t, func(f *failing) {
		app := fx.New(adopting(queue, topology.All), brokertest.Real(f, amqptest.URL(t)).Option())
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := app.Start(ctx); err == nil || !strings.Contains(err.Error(), queue) || !strings.Contains(err.Error(), "is there with 1 messages and 0 consumers") {
			t.Errorf("the app starts with %v", err)
		}
		_ = app.Stop(ctx)
	})
	if text != "" || amqptest.Depth(t, queue) != 1 {
		t.Errorf("%d messages, %s", amqptest.Depth(t, queue), text)
	}
}

func TestOnlyWhatTheTestHasDeclaredIsDeleted(t *testing.T) {
	queue := amqptest.Queue(t, "brokertest")
	declareClassic(t, queue)
	if text := says(t, func(f *failing) {
		app := fxtest.New(t, adopting(queue, topology.Satellites), brokertest.Real(f, amqptest.URL(t)).Option())
		app.RequireStart()
		app.RequireStop()
	}); text != "" {
		t.Error(text)
	}
	if !amqptest.Exists(t, queue) || amqptest.Exists(t, queue+"-error") || amqptest.Exists(t, queue+"-quarantine") {
		t.Error("the queue that was there is gone, or another one is left")
	}
}

func TestACutOfARealConnectionHasTheHandlerRunAgain(t *testing.T) {
	brokertest.RunReal(t, amqptest.URL(t), func(t *testing.T, b *brokertest.Broker) {
		queue := amqptest.Queue(t, "brokertest")
		var runs atomic.Int32
		app := fxtest.New(t, parking(queue, func(order) error {
			if runs.Add(1) == 1 {
				time.Sleep(300 * time.Millisecond)
			}
			return nil
		}), b.Option())
		app.RequireStart()
		defer app.RequireStop()
		if err := b.Publisher().Publish(t.Context(), queue, order{1}); err != nil {
			t.Fatal(err)
		}
		b.Until(5*time.Second, "it is in hand", func() bool { return b.Status(queue) == brokertest.Status{Unacked: 1} })
		b.Cut()
		b.Settle(10*time.Second, queue)
		b.Want(queue, brokertest.Status{})
		if n := runs.Load(); n != 2 {
			t.Errorf("%d runs", n)
		}
	})
}

// What is unacked is known on a real broker, whatever way it was taken and given back.
func TestUnackedMessagesOfARealBrokerAreCounted(t *testing.T) {
	brokertest.RunReal(t, amqptest.URL(t), func(t *testing.T, b *brokertest.Broker) {
		queue := amqptest.Queue(t, "brokertest")
		session, err := b.Connection().Transport().Consuming().Session(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		ch, err := session.Channel(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
			t.Fatal(err)
		}
		for n := range 6 {
			if err := b.Publisher().Publish(t.Context(), queue, n); err != nil {
				t.Fatal(err)
			}
		}
		want := func(ready, unacked int) {
			t.Helper()
			b.Until(5*time.Second, "the counts", func() bool { return b.Status(queue) == brokertest.Status{Ready: ready, Unacked: unacked} })
		}
		if _, ok, err := ch.Get(queue, false); !ok || err != nil {
			t.Fatalf("%v, %v", ok, err)
		}
		want(5, 1)
		if err := ch.Qos(4, 0, false); err != nil {
			t.Fatal(err)
		}
		if _, err := ch.Consume(queue, "t", false, false, false, false, nil); err != nil {
			t.Fatal(err)
		}
		want(1, 5) // although nobody takes what is delivered
		for _, err := range []error{ch.Cancel("t", false), ch.Ack(2, true), ch.Reject(3, true)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		want(2, 2)
		if err := ch.Nack(0, true, true); err != nil {
			t.Fatal(err)
		}
		want(4, 0)
		if _, _, err := ch.Get(queue, false); err != nil {
			t.Fatal(err)
		}
		want(3, 1)
		if err := ch.Close(); err != nil {
			t.Fatal(err)
		}
		want(4, 0)
	})
}

func TestWhatIsSettledButNotForLongIsSaid(t *testing.T) {
	text := says(t, func(f *failing) {
		b := brokertest.Real(f, amqptest.URL(t))
		b.Settle(time.Millisecond)
	})
	contains(t, text, "not settled after 1ms: nothing is left now, which is believed after 4 looks, 50ms apart")
}
