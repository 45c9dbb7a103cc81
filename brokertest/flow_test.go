package brokertest_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/brokertest"
	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// flow is an app of two consumers: one charges orders, and publishes an email for each to the
// other.
type flow struct {
	orders, emails string // queues
	delay          time.Duration

	charging func(order) error
	mailing  func(order) error
}

func (f flow) app() fx.Option {
	return fx.Options(
		connection.Module, publisher.Module, consumer.Module, fx.NopLogger,
		consumer.Provide(func(pub publisher.Publisher) []consumer.Spec {
			spec := consumer.Spec{MaxRetries: 2, Backoff: []time.Duration{f.delay}}
			orders, emails := spec, spec
			orders.Queue, emails.Queue = f.orders, f.emails
			orders.Handler = consumer.JSON(func(ctx context.Context, m consumer.Message[order]) consumer.Result {
				if err := f.charging(m.Payload); err != nil {
					return consumer.Retry(err)
				}
				if err := pub.Publish(ctx, f.emails, m.Payload, publisher.MessageID("email-"+m.MessageID)); err != nil {
					return consumer.Retry(err)
				}
				return consumer.Ack()
			})
			emails.Handler = consumer.JSON(func(_ context.Context, m consumer.Message[order]) consumer.Result {
				if err := f.mailing(m.Payload); err != nil {
					return consumer.Error(err)
				}
				return consumer.Ack()
			})
			return []consumer.Spec{orders, emails}
		}),
	)
}

// A flow of two consumers, with a retry, a crash in the middle of a handler, and a redrive.
func wholeFlow(t *testing.T, b *brokertest.Broker, name string, delay time.Duration) {
	var charged, mailed atomic.Int32
	var fixed atomic.Bool
	f := flow{orders: name, emails: name + "-mail", delay: delay}
	worker := b.Process("worker")
	f.charging = func(o order) error {
		switch n := charged.Add(1); {
		case o.Number == 1 && n == 1:
			return errors.New("the bank is busy")
		case o.Number == 2 && n == 3:
			worker.Kill() // in the middle of the handler: the order was charged, and nobody knows
		}
		return nil
	}
	f.mailing = func(o order) error {
		if o.Number == 2 && !fixed.Load() {
			return errors.New("no such address")
		}
		mailed.Add(1)
		return nil
	}
	first := fxtest.New(t, f.app(), worker.Option())
	first.RequireStart()
	publish := func(number int) {
		t.Helper()
		if err := b.Publisher().Publish(t.Context(), f.orders, order{number}, publisher.MessageID(fmt.Sprint(number))); err != nil {
			t.Fatal(err)
		}
	}

	publish(1)
	b.Until(5*time.Second, "the first attempt", func() bool { return charged.Load() == 1 && b.Status(f.orders).Waiting == 1 })
	b.Want(f.orders, brokertest.Status{Waiting: 1})
	began := time.Now()
	b.Settle(2*delay+5*time.Second, f.orders, f.emails)
	if took := time.Since(began); took < delay/2 || charged.Load() != 2 || mailed.Load() != 1 {
		t.Errorf("after %s: %d attempts, %d emails", took, charged.Load(), mailed.Load())
	}

	publish(2)
	b.Until(5*time.Second, "the crash", func() bool { return charged.Load() == 3 && b.Consumers(f.orders) == 0 })
	first.RequireStop()
	b.Want(f.orders, brokertest.Status{Ready: 1})
	second := fxtest.New(t, f.app(), b.Process("worker").Option())
	second.RequireStart()
	defer second.RequireStop()
	b.Settle(30*time.Second, f.orders, f.emails)
	b.Want(f.orders, brokertest.Status{})
	b.Want(f.emails, brokertest.Status{Parked: 1})
	if all := b.Parked(f.emails); len(all) != 1 || all[0].ID != "email-2" || all[0].Reason != "error" || all[0].Error != "no such address" || all[0].Attempts != 1 {
		t.Errorf("parked: %+v", all)
	}

	fixed.Store(true)
	if r := b.Redrive(f.emails, `error~"such address"`); r.Moved != 1 {
		t.Errorf("moved: %+v", r)
	}
	b.Settle(30*time.Second, f.orders, f.emails)
	b.Want(f.emails, brokertest.Status{})
	if charged.Load() != 4 || mailed.Load() != 2 {
		t.Errorf("%d attempts, %d emails", charged.Load(), mailed.Load())
	}
}

func TestAFlowWithARetryACrashAndARedriveTakesLessThanASecond(t *testing.T) {
	amqptest.BelowASecond(t, func(t *testing.T) {
		brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) { wholeFlow(t, b, "orders", time.Minute) })
	})
}

func TestTheSameFlowOnARealBroker(t *testing.T) {
	brokertest.RunReal(t, amqptest.URL(t), func(t *testing.T, b *brokertest.Broker) {
		wholeFlow(t, b, amqptest.Queue(t, "brokertest", "-mail", "-mail-error", "-mail-quarantine", "-mail-retry-1s"), time.Second)
	})
}
