package strangers

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	prom "github.com/prometheus/client_golang/prometheus"
	amqp "github.com/rabbitmq/amqp091-go"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/foreign/foreigntest"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
	"github.com/bunnicula-go/bunnicula/monitoring/otel"
	"github.com/bunnicula-go/bunnicula/monitoring/prometheus"
	"github.com/bunnicula-go/bunnicula/monitoring/sentry"
	"github.com/bunnicula-go/bunnicula/monitoring/statsd"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

// watchers are all monitors. Each counts the failures that it has recorded.
type watchers struct {
	monitor  monitoring.Monitor
	recorded map[string]func() int
	close    func() // makes those that gather send what they have
}

func newWatchers(t *testing.T) watchers {
	t.Helper()
	w := watchers{recorded: map[string]func() int{}}
	var log lines
	var calls atomic.Int32
	var recorder monitoringtest.Recorder
	registry, spans := prom.NewRegistry(), tracetest.NewSpanRecorder()
	metrics, err := prometheus.New(prometheus.Config{Registerer: registry})
	must(t, err)
	traces, err := otel.New(otel.Config{TracerProvider: sdk.NewTracerProvider(sdk.WithSpanProcessor(spans))})
	must(t, err)
	packets, addr := newStatsd(t)
	stats, err := statsd.New(statsd.Config{Addr: addr})
	must(t, err)
	events, dsn := newSentry(t)
	reports, err := sentry.New(sentry.Config{DSN: dsn})
	must(t, err)
	var published publishertest.Recorder
	told, err := control.Events(&published, control.EventsConfig{})
	must(t, err)
	told.Start()
	w.monitor = monitoring.Multi(
		monitoring.Log{Logger: slog.New(slog.NewJSONHandler(&log, nil))}, metrics, traces, stats, reports, &recorder, told,
		monitoring.Callbacks{OnError: func(context.Context, monitoring.Delivery, monitoring.Outcome) { calls.Add(1) }},
	)
	w.close = func() {
		must(t, stats.Close())
		told.Stop(context.Background())
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		must(t, reports.Close(ctx))
	}
	w.recorded["Log"] = func() int { return log.count(`"msg":"message parked"`) }
	w.recorded["Events"] = func() int { return int(told.Stats().Published) }
	w.recorded["Callbacks"] = func() int { return int(calls.Load()) }
	w.recorded["Prometheus"] = func() int { return failuresIn(t, registry) }
	w.recorded["StatsD"] = func() int { return packets.count(".error:1|c") }
	w.recorded["Sentry"] = func() int { return events.count(`"type":"event"`) }
	w.recorded["OpenTelemetry"] = func() int {
		n := 0
		for _, span := range spans.Ended() {
			if span.Status().Code == codes.Error && len(span.Events()) == 1 {
				n++
			}
		}
		return n
	}
	w.recorded["Recorder"] = func() int {
		n := 0
		for _, o := range recorder.Outcomes() {
			if o.Failed() && o.Err != nil {
				n++
			}
		}
		return n
	}
	return w
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lines are texts that several goroutines write.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), what)
}

func failuresIn(t *testing.T, registry *prom.Registry) int {
	t.Helper()
	families, err := registry.Gather()
	must(t, err)
	n := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, label := range m.GetLabel() {
				if f.GetName() == "bunnicula_deliveries_total" && label.GetName() == "reason" && label.GetValue() != "" {
					n += m.GetCounter().GetValue()
				}
			}
		}
	}
	return int(n)
}

// newStatsd returns what arrives at a StatsD server.
func newStatsd(t *testing.T) (*lines, string) {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	must(t, err)
	var got lines
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		packet := make([]byte, 1<<16)
		for {
			n, _, err := conn.ReadFrom(packet)
			if err != nil {
				return
			}
			_, _ = got.Write(append(packet[:n:n], '\n'))
		}
	}()
	t.Cleanup(func() { _ = conn.Close(); <-ended })
	return &got, conn.LocalAddr().String()
}

// newSentry returns what arrives at a Sentry.
func newSentry(t *testing.T) (*lines, string) {
	t.Helper()
	var got lines
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		if _, err := body.ReadFrom(r.Body); err == nil {
			_, _ = got.Write(body.Bytes())
		}
	}))
	t.Cleanup(server.Close)
	return &got, strings.Replace(server.URL, "://", "://0123456789abcdef0123456789abcdef@", 1) + "/42"
}

func TestAnErrorOfAnyKindIsParkedAndRecordedByEveryMonitor(t *testing.T) {
	queue := amqptest.Queue(t, "strangers")
	w := newWatchers(t)
	errs := foreigntest.Errors()
	kinds := slices.Sorted(maps.Keys(errs))
	handled := make(chan string, 1)
	c, err := consumer.New(connecttest.New(t, connection.Config{}), consumer.Spec{
		Queue: queue,
		Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
			if err, ok := errs[d.Type]; ok {
				return consumer.Error(err)
			}
			handled <- d.MessageID
			return consumer.Ack()
		},
	}, w.monitor, slog.New(slog.DiscardHandler))
	must(t, err)
	must(t, c.Start(t.Context()))
	for i, kind := range kinds {
		amqptest.Publish(t, "", queue, amqp.Publishing{
			MessageId: fmt.Sprint(i), Type: kind, Timestamp: time.Unix(1_800_000_000_000, 0), Body: []byte("\xff\x1b[2J"),
			Headers: amqp.Table{"when": time.Unix(-1<<62, 0), "text": "\xff"},
		})
	}
	amqptest.Publish(t, "", queue, amqp.Publishing{MessageId: "last"})
	select {
	case <-handled:
	case <-time.After(20 * time.Second):
		t.Fatal("the consumer does not go on")
	}
	amqptest.Eventually(t, 20*time.Second, func() bool { return amqptest.Depth(t, queue+"-error") == len(kinds) }, "not all are parked")
	if h := c.Health(); !h.Ready || h.Err != nil {
		t.Errorf("the consumer is not ready: %+v", h)
	}
	must(t, c.Stop(t.Context()))
	w.close()
	for name, recorded := range w.recorded {
		amqptest.Eventually(t, 10*time.Second, func() bool { return recorded() >= len(kinds) }, "%s has recorded %d failures, want %d", name, recorded(), len(kinds))
		if n := recorded(); n != len(kinds) {
			t.Errorf("%s has recorded %d failures, want %d", name, n, len(kinds))
		}
	}
	for range kinds {
		d := amqptest.Get(t, queue+"-error")
		text, _ := d.Headers[wire.Error].(string)
		if d.Headers[wire.Reason] != "error" || text == "" && d.Type != "no text" || len(text) > 2<<10 || !utf8.ValidString(text) {
			t.Errorf("%s is parked with %v, %.80q", d.Type, d.Headers[wire.Reason], text)
		}
		if d.Timestamp.Unix() != 1_800_000_000_000 {
			t.Errorf("%s has the timestamp %d", d.Type, d.Timestamp.Unix())
		}
	}
}
