package control_test

import (
	"context"
	"errors"
	"fmt"
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
	var all []*consumer.Consumer
	for _, queue := range queues {
		c, err := consumer.New(conn, consumer.Spec{Queue: queue, Concurrency: 4, Handler: handler, Backoff: []time.Duration{time.Second}}, nil, quiet())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return runs(t, conn, cfg, all...)
}

// runs starts an instance of these consumers.
func runs(t *testing.T, conn *connection.Connection, cfg control.AgentConfig, all ...*consumer.Consumer) *instance {
	t.Helper()
	p := &instance{t: t, all: all}
	if cfg.Logger == nil {
		cfg.Logger = quiet()
	}
	var err error
	if p.agent, err = control.NewAgent(conn, cfg); err != nil {
		t.Fatal(err)
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
	amqptest.Long(t) // internal/test/fleet does it with three processes
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
	if len(receipt.Obeyed) != 20 || receipt.Silent != 0 || receipt.Took > 2*time.Second && !amqptest.Raced() {
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

// The stream keeps four seconds, in small segments, and is filled. Who comes when the order's
// record was dropped knows the order: it was written again.
func TestAStandingPauseSurvivesTheSegmentsThatTheBrokerDrops(t *testing.T) {
	amqptest.Long(t)
	t.Parallel()
	stream, queue := streamOf(t), amqptest.Queue(t, "orders")
	ch := amqptest.Channel(t)
	// Segments below 4 KiB make RabbitMQ 4.3.6 end the connections of readers (541).
	if _, err := ch.QueueDeclare(stream, true, false, false, false, amqp.Table{"x-queue-type": "stream", "x-max-age": "4s", "x-stream-max-segment-size-bytes": int64(20_000)}); err != nil {
		t.Fatal(err)
	}
	conn, cfg := connecttest.New(t, connection.Config{}), control.AgentConfig{Stream: stream, MaxAge: 4 * time.Second}
	run(t, conn, cfg, acks, queue)
	fleet := fleetOf(t, conn, stream)
	if _, err := fleet.Pause(t.Context(), control.Command{Consumers: []string{queue}, Forever: true, By: "anna"}); err != nil {
		t.Fatal(err)
	}
	fill := time.NewTicker(50 * time.Millisecond)
	defer fill.Stop()
	for range 240 { // 12 s
		<-fill.C
		if err := ch.PublishWithContext(t.Context(), "", stream, false, false, amqp.Publishing{Body: make([]byte, 5000)}); err != nil {
			t.Fatal(err)
		}
	}
	if first := firstOffset(t, stream); first < 20 {
		t.Errorf("the stream begins at %d: nothing was dropped", first)
	}
	late := run(t, connecttest.New(t, connection.Config{}), cfg, acks, queue)
	if h := late.all[0].Health(); !h.PausedByOrder || !strings.Contains(h.OrderedWhy, "anna") {
		t.Errorf("who comes late has %+v", h)
	}
}

// firstOffset is that of the oldest record of a stream.
func firstOffset(t *testing.T, stream string) int64 {
	t.Helper()
	ch := amqptest.Channel(t)
	if err := ch.Qos(10, 0, false); err != nil {
		t.Fatal(err)
	}
	in, err := ch.Consume(stream, "", false, false, false, false, amqp.Table{"x-stream-offset": "first"})
	if err != nil {
		t.Fatal(err)
	}
	d := <-in
	return d.Headers["x-stream-offset"].(int64)
}

func TestOrdersAreObeyedOverLostConnectionsAndADeletedStream(t *testing.T) {
	t.Parallel()
	stream, queue := streamOf(t), amqptest.Queue(t, "orders")
	proxy := amqptest.NewProxy(t, amqptest.URL(t))
	p := run(t, connecttest.New(t, connection.Config{URL: proxy.URL()}), control.AgentConfig{Stream: stream}, acks, queue)
	fleet := fleetOf(t, connecttest.New(t, connection.Config{}), stream)
	paused := func(want bool) {
		t.Helper()
		amqptest.Eventually(t, 10*time.Second, func() bool { return p.all[0].Health().Paused == want }, "paused is not %v", want)
	}
	c := control.Command{Consumers: []string{queue}, Anyway: true, Forever: true, Wait: time.Second}
	for i := range 4 {
		proxy.Cut()
		var err error
		if i%2 == 0 {
			_, err = fleet.Pause(t.Context(), c)
		} else {
			_, err = fleet.Resume(t.Context(), control.Command{Consumers: []string{queue}, Anyway: true})
		}
		if err != nil {
			t.Fatal(err)
		}
		paused(i%2 == 0)
	}
	if _, err := fleet.Pause(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if _, err := amqptest.Channel(t).QueueDelete(stream, false, false, false); err != nil {
		t.Fatal(err)
	}
	amqptest.Eventually(t, 15*time.Second, func() bool {
		orders, err := fleet.Orders(t.Context())
		return err == nil && len(orders) == 1 && orders[0].Paused
	}, "the order is not written into the new stream")
	paused(true)
	if _, err := fleet.Resume(t.Context(), control.Command{Consumers: []string{queue}}); err != nil {
		t.Fatal(err)
	}
	paused(false)
}

func TestAPauseHoldsOverARestartOfTheBroker(t *testing.T) {
	amqptest.Long(t)
	t.Parallel()
	b := amqptest.StartBroker(t)
	conn := connecttest.New(t, connection.Config{URL: b.URL})
	p := run(t, conn, control.AgentConfig{}, acks, "orders")
	fleet := fleetOf(t, conn, "")
	if _, err := fleet.Pause(t.Context(), control.Command{Consumers: []string{"orders"}, Forever: true}); err != nil {
		t.Fatal(err)
	}
	p.stop()
	b.Stop()
	b.Start()
	late := run(t, connecttest.New(t, connection.Config{URL: b.URL}), control.AgentConfig{}, acks, "orders")
	if h := late.all[0].Health(); !h.PausedByOrder {
		t.Errorf("%+v", h)
	}
	if _, err := fleet.Resume(t.Context(), control.Command{Consumers: []string{"orders"}}); err != nil || late.all[0].Health().Paused {
		t.Errorf("%v, %+v", err, late.all[0].Health())
	}
}

func TestWithoutPermissionsConsumersWorkAndTheLogSaysWhatIsMissing(t *testing.T) {
	amqptest.Long(t)
	stream, queue := streamOf(t), amqptest.Queue(t, "orders")
	user, base := amqptest.Queue(t, "user"), amqptest.URL(t)
	amqptest.Ctl(t, "add_user", user, "secret")
	t.Cleanup(func() { amqptest.Ctl(t, "delete_user", user) })
	uri, err := amqp.ParseURI(base)
	if err != nil {
		t.Fatal(err)
	}
	work := "^" + queue + ".*$"
	amqptest.Ctl(t, "set_permissions", "-p", uri.Vhost, user, work, `^amq\.default$`, work)
	start := func() (*instance, *journal) {
		log := new(journal)
		return run(t, connecttest.New(t, connection.Config{Username: user, Password: "secret"}), control.AgentConfig{Stream: stream, Logger: log.logger()}, acks, queue), log
	}
	missing := "no permission to configure"
	if amqptest.AtLeast(t, 4, 3) { // who has no right on a queue may not look whether it is there
		missing = "no queue is bound for the routing key"
	}
	for _, want := range []string{missing, `no permission to read`} {
		p, log := start()
		if h := p.all[0].Health(); !h.Subscribed {
			t.Errorf("%s: %+v", want, h)
		}
		if lines := log.lines("orders may be missed"); len(lines) != 1 || !strings.Contains(lines[0], want) || !strings.Contains(lines[0], stream) {
			t.Errorf("the log has %q, want one line with %q", lines, want)
		}
		if warning, err := p.agent.Health(); !strings.Contains(warning, want) || err != nil {
			t.Errorf("%q, %v", warning, err)
		}
		p.stop()
		_, _ = fleetOf(t, connecttest.New(t, connection.Config{}), stream).Resume(t.Context(), control.Command{Consumers: []string{queue}, Anyway: true}) // declares it
	}
}
