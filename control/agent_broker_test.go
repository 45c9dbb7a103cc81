package control_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
)

// streamOf returns a stream of the test's own.
func streamOf(t *testing.T) string {
	t.Helper()
	stream := amqptest.Queue(t, "control")
	amqptest.Cleanup(t, stream)
	return stream
}

// instance is a process with its consumers, and an Agent.
type instance struct {
	t     *testing.T
	agent *control.Agent
	group *consumer.Group
	all   []*consumer.Consumer
	stop  func()
}

// run starts an instance whose consumers consume these queues.
func run(t *testing.T, conn *connection.Connection, cfg control.AgentConfig, handler consumer.Handler, queues ...string) *instance {
	t.Helper()
	p := &instance{t: t}
	if cfg.Logger == nil {
		cfg.Logger = quiet()
	}
	var err error
	if p.agent, err = control.NewAgent(conn, cfg); err != nil {
		t.Fatal(err)
	}
	for _, queue := range queues {
		c, err := consumer.New(conn, consumer.Spec{Queue: queue, Concurrency: 4, Handler: handler, Backoff: []time.Duration{time.Second}}, nil, quiet())
		if err != nil {
			t.Fatal(err)
		}
		p.all = append(p.all, c)
	}
	if p.group, err = consumer.NewGroup(p.all...); err != nil {
		t.Fatal(err)
	}
	p.group.Oversee(p.agent)
	if err := p.agent.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.group.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.stop = sync.OnceFunc(func() {
		ctx := connecttest.Within(t, 20*time.Second)
		if err := errors.Join(p.group.Stop(ctx), p.agent.Stop(ctx)); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(p.stop)
	return p
}

func fleetOf(t *testing.T, conn *connection.Connection, stream string) *control.Fleet {
	t.Helper()
	f, err := control.NewFleet(conn, control.FleetConfig{Stream: stream, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Stop(connecttest.Within(t, 10*time.Second)); err != nil {
			t.Error(err)
		}
	})
	return f
}

func acks(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }

func TestAPauseReachesTwentyProcessesWithinASecond(t *testing.T) {
	stream, queue := streamOf(t), amqptest.Queue(t, "orders")
	all := make([]*instance, 20)
	for i := range all {
		all[i] = run(t, connecttest.New(t, connection.Config{Name: fmt.Sprint("worker-", i)}), control.AgentConfig{Stream: stream}, acks, queue)
	}
	fleet := fleetOf(t, connecttest.New(t, connection.Config{}), stream)
	began := time.Now()
	receipt, err := fleet.Pause(t.Context(), control.Command{Consumers: []string{queue}, For: time.Minute, Why: "a test", By: "anna"})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("20 processes have answered after %s", time.Since(began))
	if len(receipt.Obeyed) != 20 || receipt.Silent != 0 || receipt.Took > 2*time.Second {
		t.Errorf("%d obey and %d are silent after %s", len(receipt.Obeyed), receipt.Silent, receipt.Took)
	}
	for i, p := range all {
		if h := p.all[0].Health(); !h.PausedByOrder || !strings.Contains(h.OrderedWhy, "ordered by anna: a test, until 20") {
			t.Errorf("process %d: %+v", i, h)
		}
	}
	if _, err := fleet.Resume(t.Context(), control.Command{Consumers: []string{queue}}); err != nil {
		t.Fatal(err)
	}
	for i, p := range all {
		if h := p.all[0].Health(); h.Paused {
			t.Errorf("process %d: %+v", i, h)
		}
	}
}

func TestAProcessThatWasRestartedComesUpPausedAndHandlesNothing(t *testing.T) {
	stream, queue := streamOf(t), amqptest.Queue(t, "orders")
	conn := connecttest.New(t, connection.Config{})
	handled := make(chan string, 10)
	handler := func(_ context.Context, d consumer.Delivery) consumer.Result {
		handled <- d.MessageID
		return consumer.Ack()
	}
	first := run(t, conn, control.AgentConfig{Stream: stream}, handler, queue)
	fleet := fleetOf(t, conn, stream)
	if _, err := fleet.Pause(t.Context(), control.Command{Consumers: []string{queue}, Forever: true}); err != nil {
		t.Fatal(err)
	}
	first.stop()
	amqptest.Publish(t, "", queue, amqp.Publishing{MessageId: "1", Body: []byte("1")})
	second := run(t, connecttest.New(t, connection.Config{}), control.AgentConfig{Stream: stream}, handler, queue)
	if h := second.all[0].Health(); !h.PausedByOrder || h.Subscribed {
		t.Errorf("it came up as %+v", h)
	}
	select {
	case id := <-handled:
		t.Errorf("message %s was handled under a pause", id)
	case <-time.After(300 * time.Millisecond):
	}
	if _, err := fleet.Resume(t.Context(), control.Command{Consumers: []string{queue}}); err != nil {
		t.Fatal(err)
	}
	select {
	case <-handled:
	case <-time.After(10 * time.Second):
		t.Error("nothing is handled after the resume")
	}
}

var _ = slog.Default
