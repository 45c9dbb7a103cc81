package brokertest_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/brokertest"
	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// started is an app that is stopped at the test's end.
func started(t *testing.T, h func(context.Context, consumer.Message[order]) consumer.Result, option fx.Option, more ...fx.Option) *fxtest.App {
	t.Helper()
	app := fxtest.New(t, connection.Module, orders(h, more...), option)
	app.RequireStart()
	t.Cleanup(app.RequireStop)
	return app
}

func publish(t *testing.T, b *brokertest.Broker, number int) {
	t.Helper()
	if err := b.Publisher().Publish(t.Context(), "orders", order{number}); err != nil {
		t.Fatal(err)
	}
}

func TestACutInTheMiddleOfAHandlerHasItRunAgain(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		var runs atomic.Int32
		started(t, func(context.Context, consumer.Message[order]) consumer.Result {
			if runs.Add(1) == 1 {
				time.Sleep(10 * time.Second)
			}
			return consumer.Ack()
		}, b.Option())
		publish(t, b, 1)
		b.Until(time.Second, "it is in hand", func() bool { return b.Status("orders").Unacked == 1 })
		b.Cut()
		b.Settle(time.Minute)
		b.Want("orders", brokertest.Status{})
		if n := runs.Load(); n != 2 {
			t.Errorf("%d runs", n)
		}
	})
}

func TestARestartKeepsEverybodyOutForAsLong(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		started(t, acked, b.Option())
		publish(t, b, 1)
		b.Settle(time.Minute)
		b.Restart(10 * time.Second)
		began := time.Now()
		if n := b.Consumers("orders"); n != 0 {
			t.Errorf("%d consumers of a broker that is down", n)
		}
		publish(t, b, 2) // waits
		if took := time.Since(began); took < 10*time.Second || took > 20*time.Second {
			t.Errorf("published after %s", took)
		}
		b.Settle(time.Minute)
	})
}

func TestAnAlarmHoldsUpWhoPublishes(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		started(t, acked, b.Option())
		publish(t, b, 1)
		b.Alarm(10 * time.Second)
		publish(t, b, 2) // the last that is taken: a broker blocks who publishes
		began := time.Now()
		publish(t, b, 3)
		if took := time.Since(began); took < 9*time.Second {
			t.Errorf("published after %s", took)
		}
	})
}

func TestAFullQueueNacks(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		started(t, acked, b.Option())
		b.Full("orders", time.Minute)
		if err := b.Publisher().Publish(t.Context(), "orders", order{}); !errors.Is(err, publisher.ErrNacked) {
			t.Errorf("got %v, want ErrNacked", err)
		}
		time.Sleep(time.Minute)
		publish(t, b, 2)
	})
}

func TestADeletedQueueIsGoneUntilItsConsumerDeclaresIt(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		started(t, acked, b.Option())
		b.Delete("orders")
		b.Until(time.Minute, "it is back", func() bool {
			return b.Publisher().Publish(t.Context(), "orders", order{}) == nil
		})
		b.Settle(time.Minute, "orders")
	})
}

// What a killed process does reaches nothing, and its other connections are dead too.
func TestAKilledProcessIsSilent(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		p := b.Process("doomed")
		var pub publisher.Publisher
		var after error
		started(t, func(ctx context.Context, m consumer.Message[order]) consumer.Result {
			if m.Payload.Number != 1 {
				return consumer.Ack()
			}
			p.Kill()
			<-p.Killed()
			after = pub.Publish(ctx, "orders", order{2})
			return consumer.Ack()
		}, p.Option(), fx.Populate(&pub))
		publish(t, b, 1)
		b.Until(time.Minute, "its end", func() bool { return after != nil })
		p.Kill() // again
		b.Want("orders", brokertest.Status{Ready: 1})
		if _, err := p.Connection().Transport().Publishing().Session(t.Context()); !errors.Is(err, connection.ErrClosed) {
			t.Errorf("a connection of a dead process: %v", err)
		}
	})
}

func TestTheRawChannelIsMissing(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		if _, err := b.Connection().Channel(t.Context()); err == nil {
			t.Error("there is one")
		}
		if first := b.Connection(); first != b.Connection() || b.Connection().Name() != "test" || !b.InMemory() {
			t.Error("the test has more than one connection, or another name")
		}
	})
}

func TestSettleWaitsForHandlersAndForRetries(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		began := time.Now()
		var ended time.Duration
		started(t, func(context.Context, consumer.Message[order]) consumer.Result {
			time.Sleep(30 * time.Second)
			if ended == 0 {
				ended = 1
				return consumer.Retry(errors.New("again")) // after a minute
			}
			ended = time.Since(began)
			return consumer.Ack()
		}, b.Option())
		publish(t, b, 1)
		b.Settle(time.Hour, "orders")
		if ended != 2*time.Minute || time.Since(began) > ended+2*time.Second {
			t.Errorf("handled after %s, settled after %s", ended, time.Since(began))
		}
	})
}
