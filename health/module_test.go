package health_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/health"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestAnAppTellsWhenItsBrokerIsAwayAndBack(t *testing.T) {
	proxy := amqptest.NewProxy(t, amqptest.URL(t))
	queue := amqptest.Queue(t, "health")
	var h *health.Health
	app := fx.New(
		health.Module, connection.Module, consumer.Module, fx.NopLogger, fx.Populate(&h),
		fx.Supply(
			slog.New(slog.DiscardHandler), connection.Config{URL: proxy.URL(), Name: "shop"},
			health.Config{Addr: "127.0.0.1:0", ErrorAge: 500 * time.Millisecond, Recovery: 200 * time.Millisecond, Interval: 50 * time.Millisecond},
		),
		consumer.Provide(func() consumer.Spec {
			return consumer.Spec{Queue: queue, Handler: func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }}
		}),
	)
	client := &http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	ask := func(path string) (int, string) {
		res, err := client.Get("http://" + h.Addr().String() + path)
		if err != nil {
			return 0, err.Error()
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			return 0, err.Error()
		}
		return res.StatusCode, string(body)
	}
	eventually := func(path string, code int, contains string) {
		t.Helper()
		var got int
		var body string
		amqptest.Eventually(t, 15*time.Second, func() bool {
			got, body = ask(path)
			return got == code && strings.Contains(body, contains)
		}, "never saw what was to come")
		if t.Failed() {
			t.Logf("%s: %d %s", path, got, body)
		}
	}

	proxy.Refuse()
	started := make(chan error, 1)
	go func() { started <- app.Start(t.Context()) }()
	amqptest.Eventually(t, 5*time.Second, func() bool { return h.Addr() != nil }, "it does not listen while the consumer waits for its broker")
	eventually("/livez", 200, `"status": "starting"`)
	eventually("/readyz", 503, `"name": "shop"`)
	proxy.Accept()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	eventually("/readyz", 200, `"status": "ok"`)
	proxy.Refuse()
	proxy.Cut()
	eventually("/readyz", 503, `"status": "down"`)
	if code, body := ask("/livez"); code != 200 {
		t.Errorf("/livez is %d %s", code, body)
	}
	proxy.Accept()
	eventually("/readyz", 200, `"status": "ok"`)
	if err := app.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAPanicOfACallbackIsInTheAppsLog(t *testing.T) {
	var h *health.Health
	var log bytes.Buffer // read when the app has stopped
	told := make(chan struct{})
	app := fx.New(
		health.Module, fx.NopLogger, fx.Populate(&h),
		fx.Supply(slog.New(slog.NewTextHandler(&log, nil)), health.Config{
			Grace: time.Millisecond, ErrorAge: health.NoErrorAge, Interval: time.Millisecond,
			OnDown: func(health.Report) { close(told); panic("harms nobody") },
		}),
	)
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.WatchConnection("nil", nil)
	<-told
	if err := app.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "a callback of health panicked") {
		t.Errorf("the app's log is %q", log.String())
	}
}
