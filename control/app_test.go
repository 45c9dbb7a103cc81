package control_test

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
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
)

// anApp is an fx app with control.Module, and what it has.
type anApp struct {
	*fxtest.App
	agent   *control.Agent
	group   *consumer.Group
	handled atomic.Int64
}

// newApp makes an app whose modules are in either order. Its consumer consumes the queue.
func newApp(t *testing.T, controlFirst bool, queue string, more ...fx.Option) *anApp {
	t.Helper()
	a := new(anApp)
	modules := fx.Options(connection.Module, consumer.Module, control.Module)
	if controlFirst {
		modules = fx.Options(control.Module, consumer.Module, connection.Module)
	}
	a.App = fxtest.New(t, fx.NopLogger, modules, fx.Provide(quiet), fx.Populate(&a.agent, &a.group), fx.Options(more...),
		consumer.Provide(func() consumer.Spec {
			return consumer.Spec{Queue: queue, Concurrency: 4, Backoff: []time.Duration{time.Second}, Handler: func(context.Context, consumer.Delivery) consumer.Result {
				a.handled.Add(1)
				return consumer.Ack()
			}}
		}))
	return a
}

// ordered says whether a consumer obeys an order that a Fleet has given.
func ordered(c *consumer.Consumer) bool {
	h := c.Health()
	return h.PausedByOrder && !h.Subscribed && strings.Contains(h.OrderedWhy, "ordered by anna")
}

// underAPause starts an app whose consumer somebody has paused, adds another such consumer, resumes
// both, and stops the app.
func underAPause(t *testing.T, a *anApp, fleet *control.Fleet, queue, added string, publish func(queue string), until func(what string, is func() bool)) {
	t.Helper()
	c := control.Command{Consumers: []string{queue, added}, Anyway: true, Forever: true, By: "anna", Wait: time.Second}
	if _, err := fleet.Pause(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	a.RequireStart()
	if !ordered(a.group.Consumer(queue)) {
		t.Errorf("it started as %+v", a.group.Health())
	}
	another, err := a.group.Add(t.Context(), consumer.Spec{Queue: added, Backoff: []time.Duration{time.Second}, Handler: func(context.Context, consumer.Delivery) consumer.Result {
		a.handled.Add(1)
		return consumer.Ack()
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !ordered(another) {
		t.Errorf("it was added as %+v", another.Health())
	}
	publish(queue)
	publish(added)
	all, err := fleet.Processes(t.Context(), time.Second)
	if err != nil || len(all) != 1 || len(all[0].Consumers) != 2 || a.handled.Load() != 0 {
		t.Errorf("%d were handled under a pause, %+v, %v", a.handled.Load(), all, err)
	}
	if r, err := fleet.Resume(t.Context(), control.Command{Consumers: []string{queue, added}}); err != nil || len(r.Obeyed) != 1 || r.Silent != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	until("both are handled", func() bool { return a.handled.Load() == 2 })
	a.RequireStop()
	if all, err := fleet.Processes(t.Context(), time.Second); err != nil || len(all) != 0 {
		t.Errorf("after its stop %+v, %v", all, err)
	}
}

func TestAnAppStartsUnderItsOrders(t *testing.T) {
	for name, controlFirst := range map[string]bool{"control last": false, "control first": true} {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
				a := newApp(t, controlFirst, "orders", b.Option())
				publish := func(queue string) {
					if err := b.Publisher().Publish(t.Context(), queue, 1); err != nil {
						t.Fatal(err)
					}
				}
				underAPause(t, a, fleetOf(t, b.Process("operator").Connection(), ""), "orders", "customer-7", publish, func(what string, is func() bool) {
					b.Until(10*time.Second, what, is)
				})
			})
		})
	}
}

func TestAnAppStartsUnderItsOrdersOnABroker(t *testing.T) {
	t.Parallel()
	stream, queue, added := streamOf(t), amqptest.Queue(t, "orders"), amqptest.Queue(t, "customer")
	a := newApp(t, false, queue, fx.Supply(connection.Config{URL: amqptest.URL(t)}, control.AgentConfig{Stream: stream}))
	publish := func(queue string) { amqptest.Publish(t, "", queue, amqp.Publishing{Body: []byte("1")}) }
	underAPause(t, a, fleetOf(t, connecttest.New(t, connection.Config{}), stream), queue, added, publish, func(what string, is func() bool) {
		amqptest.Eventually(t, 10*time.Second, is, "it is not so that %s", what)
	})
}

func TestAnAppWithoutConsumersAnswersAndStops(t *testing.T) {
	for name, module := range map[string]fx.Option{"no module": fx.Options(), "no consumer": consumer.Module} {
		t.Run(name, func(t *testing.T) {
			brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
				app := fxtest.New(t, fx.NopLogger, fx.Provide(quiet), connection.Module, module, control.Module, b.Process("app").Option())
				app.RequireStart()
				fleet := fleetOf(t, b.Process("operator").Connection(), "")
				b.Until(10*time.Second, "the stream is there", func() bool { _, err := fleet.Orders(t.Context()); return err == nil })
				if all, err := fleet.Processes(t.Context(), 0); err != nil || len(all) != 1 || len(all[0].Consumers) != 0 {
					t.Errorf("%+v, %v", all, err)
				}
				app.RequireStop()
			})
		})
	}
}

// A lazy app starts without its broker, and its consumer waits for its orders. One that is not lazy
// fails, in time, as it does without orders.
func TestAnAppStartsWhileItsBrokerIsAway(t *testing.T) {
	t.Parallel()
	stream, queue := streamOf(t), amqptest.Queue(t, "orders")
	proxy := amqptest.NewProxy(t, amqptest.URL(t))
	fleet := fleetOf(t, connecttest.New(t, connection.Config{}), stream)
	if _, err := fleet.Pause(t.Context(), control.Command{Consumers: []string{queue}, Anyway: true, Forever: true, By: "anna", Wait: 100 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	proxy.Refuse()
	cfg := connection.Config{URL: proxy.URL(), MinBackoff: 10 * time.Millisecond, MaxBackoff: 100 * time.Millisecond}
	t.Run("not lazy", func(t *testing.T) {
		a := newApp(t, false, queue, fx.Supply(cfg, control.AgentConfig{Stream: stream, Patience: 300 * time.Millisecond}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := a.App.Start(ctx); err == nil {
			t.Error("it has started")
		}
	})
	t.Run("without consumers", func(t *testing.T) {
		app := fxtest.New(t, fx.NopLogger, fx.Provide(quiet), connection.Module, control.Module, fx.Supply(cfg, control.AgentConfig{Stream: stream}))
		app.RequireStart() // nothing needs the broker
		app.RequireStop()
	})
	t.Run("lazy", func(t *testing.T) {
		cfg.Lazy = true
		a := newApp(t, false, queue, fx.Supply(cfg, control.AgentConfig{Stream: stream}))
		began := time.Now()
		a.RequireStart()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("its start took %s", took)
		}
		c := a.group.Consumer(queue)
		if h := c.Health(); !h.PausedByOrder || h.OrderedWhy == "" || ordered(c) {
			t.Errorf("before the orders are known it is %+v", h)
		}
		if warning, err := a.agent.Health(); warning == "" || err != nil {
			t.Errorf("its health is %q, %v", warning, err)
		}
		proxy.Accept()
		amqptest.Eventually(t, 15*time.Second, func() bool { return ordered(c) }, "it does not obey: %+v", c.Health())
		if _, err := fleet.Resume(t.Context(), control.Command{Consumers: []string{queue}}); err != nil {
			t.Fatal(err)
		}
		amqptest.Eventually(t, 15*time.Second, func() bool { return c.Health().Subscribed }, "after the resume it does not work")
		a.RequireStop()
	})
}
