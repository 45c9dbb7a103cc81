package monitoring_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"reflect"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
)

func TestLogPassesConformance(t *testing.T) {
	monitoringtest.Conformance(t, func(*testing.T) monitoring.Monitor {
		return monitoring.Log{Logger: slog.New(slog.DiscardHandler)}
	})
	monitoringtest.Conformance(t, func(*testing.T) monitoring.Monitor {
		return monitoring.Log{Logger: jsonLogger(io.Discard), LogPayload: 100}
	})
}

func TestLogWritesOneLineForEachDelivery(t *testing.T) {
	d := monitoring.Delivery{
		Consumer: "orders", Queue: "shop.orders", MessageID: "m1", Attempt: 2, MaxRetries: 3,
		Body: []byte("secret"), Headers: map[string]any{"token": "secret"},
	}
	for _, c := range []struct {
		name    string
		log     monitoring.Log
		outcome monitoring.Outcome
		want    map[string]any // besides the attributes of every line
	}{
		{
			name:    "acked",
			outcome: monitoring.Outcome{Action: monitoring.Acked},
			want:    map[string]any{"level": "DEBUG", "msg": "message acked"},
		},
		{
			name:    "acked, at another level",
			log:     monitoring.Log{AckedLevel: slog.LevelInfo},
			outcome: monitoring.Outcome{Action: monitoring.Acked},
			want:    map[string]any{"level": "INFO", "msg": "message acked"},
		},
		{
			name:    "snoozed, at another level",
			log:     monitoring.Log{SnoozedLevel: slog.LevelDebug},
			outcome: monitoring.Outcome{Action: monitoring.Snoozed, Delay: time.Second},
			want:    map[string]any{"level": "DEBUG", "msg": "message snoozed", "delay": float64(time.Second)},
		},
		{
			name:    "the level is of acked messages only",
			log:     monitoring.Log{AckedLevel: slog.LevelDebug},
			outcome: monitoring.Outcome{Action: monitoring.Interrupted},
			want:    map[string]any{"level": "INFO", "msg": "message interrupted"},
		},
		{
			name: "retried",
			outcome: monitoring.Outcome{
				Action: monitoring.Retried, Reason: monitoring.ReasonRetry, Delay: time.Second,
				Err: errors.New("mail server is down"), Group: "f00",
			},
			want: map[string]any{
				"level": "WARN", "msg": "message retried", "reason": "retry", "delay": 1e9,
				"err": "mail server is down", "group": "f00",
			},
		},
		{
			name:    "snoozed",
			outcome: monitoring.Outcome{Action: monitoring.Snoozed, Delay: time.Second},
			want:    map[string]any{"level": "INFO", "msg": "message snoozed", "delay": 1e9},
		},
		{
			name:    "snoozed with a reason",
			outcome: monitoring.Outcome{Action: monitoring.Snoozed, Delay: time.Second, Err: errors.New("mail server is down")},
			want:    map[string]any{"level": "INFO", "msg": "message snoozed", "delay": 1e9, "err": "mail server is down"},
		},
		{
			name:    "parked",
			outcome: monitoring.Outcome{Action: monitoring.Parked, Reason: monitoring.ReasonPanic, Stack: "goroutine 1"},
			want:    map[string]any{"level": "ERROR", "msg": "message parked", "reason": "panic", "stack": "goroutine 1"},
		},
		{
			name:    "interrupted",
			outcome: monitoring.Outcome{Action: monitoring.Interrupted},
			want:    map[string]any{"level": "INFO", "msg": "message interrupted"},
		},
		{
			name: "unknown",
			want: map[string]any{"level": "WARN", "msg": "message settled in an unknown way"},
		},
		{
			name:    "with a payload",
			log:     monitoring.Log{LogPayload: 3},
			outcome: monitoring.Outcome{Action: monitoring.Acked},
			want:    map[string]any{"level": "DEBUG", "msg": "message acked", "payload": "sec", "payload_size": 6.0},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			c.log.Logger = jsonLogger(&out)
			c.outcome.Duration = time.Millisecond
			c.log.End(c.log.Begin(t.Context(), d), d, c.outcome)

			want := map[string]any{
				"consumer": "orders", "queue": "shop.orders", "message_id": "m1",
				"attempt": 2.0, "max_retries": 3.0, "duration": 1e6,
			}
			for k, v := range c.want {
				want[k] = v
			}
			decoder := json.NewDecoder(&out)
			var line map[string]any
			if err := decoder.Decode(&line); err != nil {
				t.Fatal(err)
			}
			delete(line, "time")
			same(t, line, want)
			if decoder.More() {
				t.Error("there is a second line")
			}
		})
	}
}

func TestALineThatIsOffCostsNothing(t *testing.T) {
	m := monitoring.Log{Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), LogPayload: 100}
	d, o := monitoring.Delivery{Body: []byte("payload")}, monitoring.Outcome{Action: monitoring.Acked}
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() { m.End(m.Begin(ctx, d), d, o) }); n != 0 {
		t.Errorf("it allocates %v times; want never", n)
	}
}

func TestTheLevelOfAckedMessagesCanChangeWhileRunning(t *testing.T) {
	var out bytes.Buffer
	level := new(slog.LevelVar)
	m := monitoring.Log{Logger: slog.New(slog.NewTextHandler(&out, nil)), AckedLevel: level}
	for _, c := range []struct {
		level slog.Level
		lines int
	}{{slog.LevelDebug, 0}, {slog.LevelInfo, 1}, {slog.LevelDebug, 1}} {
		level.Set(c.level)
		m.End(t.Context(), monitoring.Delivery{}, monitoring.Outcome{Action: monitoring.Acked})
		if n := bytes.Count(out.Bytes(), []byte("message acked")); n != c.lines {
			t.Errorf("after one more at %s there are %d lines; want %d", c.level, n, c.lines)
		}
	}
}

func TestLogWritesToTheDefaultLoggerOfTheMoment(t *testing.T) {
	var m monitoring.Log
	was := slog.Default()
	t.Cleanup(func() { slog.SetDefault(was) })
	var out bytes.Buffer
	slog.SetDefault(jsonLogger(&out))
	m.End(t.Context(), monitoring.Delivery{}, monitoring.Outcome{Action: monitoring.Acked})
	if !bytes.Contains(out.Bytes(), []byte("message acked")) {
		t.Errorf("logged %q; want a line", out.String())
	}
}

func TestLogHandsTheContextOfEndToItsHandler(t *testing.T) {
	type key struct{}
	var got any
	logger := slog.New(spy{slog.DiscardHandler, func(ctx context.Context) { got = ctx.Value(key{}) }})
	ctx := context.WithValue(t.Context(), key{}, "trace 1")
	monitoring.Log{Logger: logger}.End(ctx, monitoring.Delivery{}, monitoring.Outcome{Action: monitoring.Acked})
	if got != "trace 1" {
		t.Errorf("the handler found %v; want what the context holds", got)
	}
}

// spy is a handler that keeps the context of each line.
type spy struct {
	slog.Handler
	look func(context.Context)
}

func (spy) Enabled(context.Context, slog.Level) bool { return true }

func (s spy) Handle(ctx context.Context, _ slog.Record) error {
	s.look(ctx)
	return nil
}

func jsonLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func same(t *testing.T, got, want map[string]any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
