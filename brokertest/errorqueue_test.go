package brokertest_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/brokertest"
	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

// parking is an app that parks what its handler does not like.
func parking(queue string, h func(order) error) fx.Option {
	return fx.Options(connection.Module, publisher.Module, consumer.Module, fx.NopLogger, consumer.Provide(func() consumer.Spec {
		return consumer.Spec{Queue: queue, Handler: consumer.JSON(func(_ context.Context, m consumer.Message[order]) consumer.Result {
			if err := h(m.Payload); err != nil {
				return consumer.Error(err)
			}
			return consumer.Ack()
		})}
	}))
}

// All that package errorqueue does works, and what it leaves is what a test sees.
func wholeErrorQueue(t *testing.T, b *brokertest.Broker, queue string) {
	var good atomic.Int32
	good.Store(99)
	app := fxtest.New(t, parking(queue, func(o order) error {
		if o.Number < int(good.Load()) {
			return errors.New("no")
		}
		return nil
	}), b.Option())
	app.RequireStart()
	defer app.RequireStop()
	for n := range 6 {
		if err := b.Publisher().Publish(t.Context(), queue, order{n}, publisher.MessageID(string(rune('a'+n)))); err != nil {
			t.Fatal(err)
		}
	}
	b.Settle(30*time.Second, queue)
	b.Want(queue, brokertest.Status{Parked: 6})

	ctx := context.Background()
	q, err := errorqueue.Open(ctx, b.Connection(), errorqueue.Config{Queue: queue}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close(ctx)
	if st, err := q.Status(ctx); err != nil || st.Messages != 6 || st.Quarantine != 0 {
		t.Errorf("%+v, %v", st, err)
	}
	if groups, err := q.Groups(ctx, errorqueue.GroupOptions{}); err != nil || len(groups.Groups) != 1 || groups.Groups[0].Count != 6 {
		t.Errorf("%+v, %v", groups, err)
	}
	var file bytes.Buffer
	if n, err := q.Export(ctx, &file, errorqueue.ExportOptions{}); err != nil || n != 6 {
		t.Errorf("exported %d: %v", n, err)
	}
	if r, err := q.Discard(ctx, errorqueue.DiscardOptions{Filter: errorqueue.Filter{IDs: []string{"a", "b"}}}); err != nil || r.Discarded != 2 {
		t.Errorf("archived: %+v, %v", r, err)
	}
	b.Want(queue, brokertest.Status{Parked: 4})
	if r, err := q.Discard(ctx, errorqueue.DiscardOptions{All: true, Delete: true}); err != nil || r.Discarded != 4 {
		t.Errorf("deleted: %+v, %v", r, err)
	}
	b.Want(queue, brokertest.Status{})
	if r, err := q.Import(ctx, &file, errorqueue.ImportOptions{}); err != nil || r.Imported != 6 {
		t.Errorf("imported: %+v, %v", r, err)
	}
	b.Want(queue, brokertest.Status{Parked: 6})

	good.Store(3) // a to c fail again
	r, err := q.Redrive(ctx, errorqueue.RedriveOptions{All: true, Batches: []int{1}, Watch: 2 * time.Second})
	if !errors.Is(err, errorqueue.ErrFailedAgain) || r.Moved != 1 {
		t.Errorf("a redrive of one after the other: %+v, %v", r, err)
	}
	if r := b.Redrive(queue, "id=d,e,f"); r.Moved != 3 {
		t.Errorf("%+v", r)
	}
	b.Settle(30*time.Second, queue)
	b.Want(queue, brokertest.Status{Parked: 3})
	ids := []string{}
	for _, m := range b.Parked(queue) {
		ids = append(ids, m.ID)
	}
	if slices.Sort(ids); !slices.Equal(ids, []string{"a", "b", "c"}) {
		t.Errorf("parked: %v", ids)
	}
}

func TestTheErrorQueueIsThatOfProduction(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) { wholeErrorQueue(t, b, "orders") })
}

func TestTheErrorQueueOnARealBroker(t *testing.T) {
	amqptest.Long(t)
	brokertest.RunReal(t, amqptest.URL(t), func(t *testing.T, b *brokertest.Broker) {
		wholeErrorQueue(t, b, amqptest.Queue(t, "brokertest", "-archive"))
	})
}

// A consumer moves to a queue of another type, with what is parked.
func TestAConsumersQueuesMoveInMemory(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		var plans []topology.Topology
		for _, queue := range []string{"old", "new"} {
			app := fxtest.New(t, parking(queue, func(order) error { return errors.New("no") }), b.Option())
			app.RequireStart()
			if queue == "old" {
				if err := b.Publisher().Publish(t.Context(), "old", order{1}); err != nil {
					t.Fatal(err)
				}
				b.Settle(time.Minute)
			}
			app.RequireStop()
			made, err := topology.New(topology.Plan{Queue: queue})
			if err != nil {
				t.Fatal(err)
			}
			plans = append(plans, made)
		}
		if r, err := errorqueue.Move(t.Context(), b.Connection(), errorqueue.MoveOptions{From: plans[0], To: plans[1]}, nil); err != nil {
			t.Fatalf("%+v, %v", r, err)
		}
		b.Want("old", brokertest.Status{})
		b.Want("new", brokertest.Status{Parked: 1})
	})
}

func TestDelaysAndBindingsAreThoseOfProduction(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		var handled []time.Duration
		var began time.Time
		app := fxtest.New(t, connection.Module, publisher.Module, consumer.Module, fx.NopLogger, consumer.Provide(func() consumer.Spec {
			return consumer.Spec{
				Queue: "mail", Delays: topology.Ladder,
				Bindings: []topology.Bind{{Exchange: "events", Kind: "topic", Keys: []string{"order.*"}}},
				Handler: func(context.Context, consumer.Delivery) consumer.Result {
					handled = append(handled, time.Since(began))
					return consumer.Ack()
				},
			}
		}), b.Option())
		app.RequireStart()
		defer app.RequireStop()
		began = time.Now()
		for _, err := range []error{
			b.Publisher().Publish(t.Context(), "mail", 1, publisher.Delay(90*time.Minute)),
			b.Publisher().Publish(t.Context(), "order.new", 1, publisher.Exchange("events")),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := b.Publisher().Publish(t.Context(), "orders.new", 1, publisher.Exchange("events")); !errors.Is(err, publisher.ErrUnroutable) {
			t.Errorf("a key that is not bound: %v", err)
		}
		b.Until(time.Minute, "the first", func() bool { return len(handled) == 1 })
		b.Want("mail", brokertest.Status{Waiting: 1})
		b.Settle(2 * time.Hour)
		if len(handled) != 2 || handled[1] < 90*time.Minute || handled[1] > 90*time.Minute+time.Second {
			t.Errorf("handled after %v", handled)
		}
	})
}
