package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/health"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

// records keeps what is logged.
type records struct {
	slog.Handler
	mu  sync.Mutex
	all []string
}

func (r *records) Enabled(context.Context, slog.Level) bool { return true }
func (r *records) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *records) Handle(_ context.Context, rec slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := rec.Level.String() + " " + rec.Message
	rec.Attrs(func(a slog.Attr) bool { text += fmt.Sprintf(" %s=%v", a.Key, a.Value); return true })
	r.all = append(r.all, text)
	return nil
}

// has says whether a line has all these texts.
func (r *records) has(texts ...string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.all {
		found := true
		for _, text := range texts {
			found = found && strings.Contains(line, text)
		}
		if found {
			return true
		}
	}
	return false
}

func TestALazyAppStartsWithoutABrokerAndWorksWhenItComes(t *testing.T) {
	proxy := amqptest.NewProxy(t, amqptest.URL(t))
	proxy.Refuse()
	cfg := connection.Config{URL: proxy.URL(), Lazy: true, Name: "lazy", MinBackoff: 20 * time.Millisecond, MaxBackoff: 100 * time.Millisecond}
	own, other := amqptest.Queue(t, "lazy"), amqptest.Queue(t, "lazy-other")
	handled := make(chan string, 10)
	spec := func(queue, conn string) func() consumer.Spec {
		return func() consumer.Spec {
			return consumer.Spec{Queue: queue, Connection: conn, Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
				handled <- string(d.Body)
				return consumer.Ack()
			}}
		}
	}
	var h *health.Health
	var pub, named publisher.Publisher
	app := fx.New(
		health.Module, connection.Module, publisher.Module, consumer.Module, fx.NopLogger,
		connection.Named("billing", cfg), publisher.Named("billing", publisher.Config{}),
		fx.Supply(cfg, slog.New(slog.DiscardHandler), health.Config{Addr: "127.0.0.1:0", Interval: 20 * time.Millisecond}),
		consumer.Provide(spec(own, ""), spec(other, "billing")),
		fx.Populate(&h, &pub, fx.Annotate(&named, fx.ParamTags(`name:"billing"`))),
	)
	began := time.Now()
	if err := app.Start(connecttest.Soon(t)); err != nil {
		t.Fatalf("a start without a broker: %v", err)
	}
	t.Cleanup(func() {
		if err := app.Stop(connecttest.Soon(t)); err != nil {
			t.Error(err)
		}
	})
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the start took %s", took)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	status := func(path string) int {
		answer, err := client.Get("http://" + h.Addr().String() + path)
		if err != nil {
			return 0
		}
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	if live, ready := status("/livez"), status("/readyz"); live != http.StatusOK || ready != http.StatusServiceUnavailable {
		t.Errorf("without a broker /livez is %d, /readyz %d", live, ready)
	}
	if err := pub.Publish(connecttest.Within(t, 100*time.Millisecond), own, []byte("lost")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}

	proxy.Accept()
	amqptest.Eventually(t, 15*time.Second, func() bool { return status("/readyz") == http.StatusOK }, "never ready")
	for queue, p := range map[string]publisher.Publisher{own: pub, other: named} {
		if err := p.Publish(connecttest.Soon(t), queue, []byte(queue)); err != nil {
			t.Fatal(err)
		}
	}
	if got := []string{<-handled, <-handled}; got[0] == "lost" || got[1] == "lost" || got[0] == got[1] {
		t.Errorf("handled %q", got)
	}
}

func TestALazyStartIsLoudAboutARefusedPassword(t *testing.T) {
	log := new(records)
	conn, err := connection.New(connection.Config{URL: amqptest.URL(t), Password: "hunter2", Lazy: true}, slog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Stop(connecttest.Soon(t)) })
	pub, err := publisher.New(conn, publisher.Config{}, slog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	if err := pub.Start(connecttest.Soon(t)); err != nil {
		t.Fatalf("a lazy start: %v", err)
	}
	var refused *connection.RefusedError
	amqptest.Eventually(t, 15*time.Second, func() bool { return errors.As(conn.Health().Publishing.Err, &refused) }, "Health does not tell")
	amqptest.Eventually(t, time.Second, func() bool { return log.has("ERROR connect failed", "check user and password") }, "not in the log")
	if conn.Health().OK() || log.has("hunter2") {
		t.Errorf("%+v", conn.Health())
	}
	if err := pub.Publish(connecttest.Within(t, 100*time.Millisecond), "orders", 1); !errors.As(err, &refused) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if err := pub.Stop(connecttest.Soon(t)); err != nil {
		t.Error(err)
	}
}

func TestALazyConsumerIsLoudAboutAQueueWithOtherArguments(t *testing.T) {
	queue := amqptest.Queue(t, "lazy-other-arguments")
	if _, err := amqptest.Channel(t).QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": "classic"}); err != nil {
		t.Fatal(err)
	}
	log, fatal := new(records), make(chan error, 10)
	conn := connecttest.New(t, connection.Config{Lazy: true})
	c, err := consumer.New(conn, consumer.Spec{Queue: queue, Handler: always(consumer.Ack()), OnFatal: func(err error) { fatal <- err }}, nil, slog.New(log))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(connecttest.Soon(t)); err != nil {
		t.Fatalf("a lazy start: %v", err)
	}
	defer func() {
		if err := c.Stop(connecttest.Soon(t)); err != nil {
			t.Error(err)
		}
	}()
	var mismatch *topology.MismatchError
	if err := <-fatal; !errors.As(err, &mismatch) {
		t.Errorf("OnFatal got %v", err)
	}
	if h := c.Health(); h.Ready || !errors.As(h.Err, &mismatch) {
		t.Errorf("%+v", h)
	}
	if !log.has("ERROR consumer cannot go on", queue) {
		t.Errorf("%q", log.all)
	}
}
