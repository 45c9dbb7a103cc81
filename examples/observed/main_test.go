package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/fx"
	"go.uber.org/fx/fxtest"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestProbesAndMetricsAreServed(t *testing.T) {
	t.Setenv("AMQP_URL", amqptest.URL(t))
	queue, addr, backoff = amqptest.Queue(t, "observed"), "127.0.0.1:0", 100*time.Millisecond
	app := fxtest.New(t, app(), fx.NopLogger)
	app.RequireStart()
	client := &http.Client{Timeout: 5 * time.Second}
	defer client.CloseIdleConnections()
	get := func(path string) (int, string) {
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "http://"+addr+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	for _, path := range []string{"/livez", "/readyz"} {
		if code, body := get(path); code != http.StatusOK || !strings.Contains(body, `"name": "orders"`) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	amqptest.Eventually(t, 10*time.Second, func() bool {
		_, body := get("/metrics")
		return strings.Contains(body, `bunnicula_deliveries_total{action="acked",consumer="orders",reason=""}`) &&
			strings.Contains(body, `bunnicula_deliveries_total{action="retried",consumer="orders",reason="retry"}`) &&
			strings.Contains(body, `bunnicula_consumer_up{connection="",consumer="orders"} 1`) &&
			strings.Contains(body, `bunnicula_connection_up{connection="observed",purpose="publish"} 1`)
	}, "the metrics do not show what happened")
	app.RequireStop()
}
