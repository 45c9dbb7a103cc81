package consumer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// memoryLog is a log in memory.
type memoryLog struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *memoryLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *memoryLog) logger() *slog.Logger {
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// messages returns the messages of the lines about this queue, and the text of all.
func (l *memoryLog) messages(queue string) (of map[string]int, all string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of = map[string]int{}
	for line := range bytes.Lines(l.all.Bytes()) {
		var facts struct{ Msg, Queue, Consumer string }
		if json.Unmarshal(line, &facts) == nil && (facts.Queue == queue || facts.Consumer == queue) {
			of[facts.Msg]++
		}
	}
	return of, l.all.String()
}

// embedded is a user's monitor that has all of Log's methods.
type embedded struct{ monitoring.Log }

// wrapping is a user's monitor that hands everything on.
type wrapping struct{ inner monitoring.Monitor }

func (w wrapping) Begin(ctx context.Context, d monitoring.Delivery) context.Context {
	return w.inner.Begin(ctx, d)
}

func (w wrapping) End(ctx context.Context, d monitoring.Delivery, o monitoring.Outcome) {
	w.inner.End(ctx, d, o)
}

// panicking is a monitor that fails.
type panicking struct{ monitoring.Nop }

func (panicking) End(context.Context, monitoring.Delivery, monitoring.Outcome) { panic("no paper") }

const withPanics = "one that panics"

// ways are the ways in which an app can have a Log without a logger.
func ways() map[string]monitoring.Monitor {
	return map[string]monitoring.Monitor{
		"a Log":              monitoring.Log{},
		"a pointer to a Log": &monitoring.Log{},
		"a Log in a Multi":   monitoring.Multi(monitoring.Log{}, monitoring.Callbacks{}),
		"a Log in two Multi": monitoring.Multi(monitoring.Callbacks{}, monitoring.Multi(monitoring.Callbacks{}, monitoring.Log{})),
		"an embedded Log":    embedded{},
		"a wrapped Log":      wrapping{wrapping{monitoring.Log{}}},
		withPanics:           monitoring.Multi(panicking{}, monitoring.Log{}),
	}
}

// parksOne is a consumer whose only message is retried and then parked.
func parksOne(queue, connection string) consumer.Spec {
	return consumer.Spec{
		Queue: queue, Connection: connection, MaxRetries: 1, Backoff: []time.Duration{time.Millisecond},
		Handler: func(context.Context, consumer.Delivery) consumer.Result { return consumer.Retry(errors.New("no")) },
	}
}

// nothingElsewhere makes slog.Default a log in memory, and fails the test if anything is written
// to it in the end.
func nothingElsewhere(t *testing.T) {
	elsewhere, was := new(memoryLog), slog.Default()
	slog.SetDefault(elsewhere.logger())
	t.Cleanup(func() {
		slog.SetDefault(was)
		if _, all := elsewhere.messages(""); all != "" {
			t.Errorf("slog.Default has\n%s", all)
		}
	})
}

func wantLines(t *testing.T, log *memoryLog, queue, way string) {
	t.Helper()
	amqptest.Eventually(t, 10*time.Second, func() bool {
		of, _ := log.messages(queue)
		panicked := way != withPanics || of["monitor panicked"] >= 2 // the other monitor is called last
		return of["message retried"] == 1 && of["message parked"] == 1 && panicked
	}, "the app's log lacks lines of %s", queue)
	of, all := log.messages(queue)
	if way == withPanics && of["monitor panicked"] != 2 {
		t.Errorf("the panics of the other monitor are not in the app's log:\n%s", all)
	}
}

func TestALogWithoutALoggerWritesToTheApps(t *testing.T) {
	nothingElsewhere(t)
	for name, monitor := range ways() {
		for _, named := range []string{"", "billing"} {
			t.Run(name+" on connection "+named, func(t *testing.T) {
				cfg := connection.Config{URL: amqptest.URL(t)}
				log, queue := new(memoryLog), amqptest.Queue(t, "logger")
				var pub publisher.Publisher
				app := fx.New(
					fx.NopLogger, fx.Supply(log.logger(), cfg), connection.Module, publisher.Module, consumer.Module,
					connection.Named("billing", cfg),
					monitoring.Provide(func() monitoring.Monitor { return monitor }),
					consumer.Provide(func() consumer.Spec { return parksOne(queue, named) }),
					fx.Populate(&pub),
				)
				if err := app.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := pub.Publish(t.Context(), queue, 1); err != nil {
					t.Error(err)
				}
				wantLines(t, log, queue, name)
				if err := app.Stop(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestALogWithoutALoggerWritesToTheOneThatNewGot(t *testing.T) {
	nothingElsewhere(t)
	r := newRig(t)
	monitors := ways()
	monitors["no monitor"] = nil
	for name, monitor := range monitors {
		t.Run(name, func(t *testing.T) {
			log, queue := new(memoryLog), amqptest.Queue(t, "logger")
			c, err := consumer.New(r.conn, parksOne(queue, ""), monitor, log.logger())
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.publish(queue, "x")
			wantLines(t, log, queue, name)
			if err := c.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
