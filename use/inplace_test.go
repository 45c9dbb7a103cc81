package use_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/use"
)

// inPlace handles one message with InPlace around a handler, which says what the call with this
// number returns, from 1 on. It returns when each call began, and what would be done.
func inPlace(t *testing.T, tries int, pause, timeout time.Duration, call func(context.Context, int) consumer.Result) (began []time.Duration, s consumer.Settlement) {
	t.Helper()
	start := time.Now()
	c, err := consumer.New(nil, consumer.Spec{
		Queue: "q", Timeout: timeout, MaxRetries: consumer.NoRetries, Use: []consumer.Middleware{use.InPlace(tries, pause)},
		Handler: func(ctx context.Context, _ consumer.Delivery) consumer.Result {
			began = append(began, time.Since(start))
			return call(ctx, len(began))
		},
	}, monitoring.Nop{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s = c.Process(t.Context(), amqp.Delivery{MessageId: "m", RoutingKey: "q", Body: []byte("x")})
	return began, s
}

func TestInPlaceTriesAgainWhereTheMessageIs(t *testing.T) {
	down := errors.New("down")
	retry := func(context.Context, int) consumer.Result { return consumer.Retry(down) }
	for name, c := range map[string]struct {
		tries          int
		pause, timeout time.Duration
		call           func(context.Context, int) consumer.Result
		began          []time.Duration
		action         monitoring.Action
		err            string
	}{
		"acked at once": {5, time.Second, 0, func(context.Context, int) consumer.Result { return consumer.Ack() }, []time.Duration{0}, monitoring.Acked, ""},
		"acked by the third": {5, time.Second, 0, func(_ context.Context, n int) consumer.Result {
			if n < 3 {
				return consumer.Retry(down)
			}
			return consumer.Ack()
		}, []time.Duration{0, time.Second, 2 * time.Second}, monitoring.Acked, ""},
		"all fail":      {3, time.Second, 0, retry, []time.Duration{0, time.Second, 2 * time.Second}, monitoring.Parked, "down"},
		"one try":       {1, time.Second, 0, retry, []time.Duration{0}, monitoring.Parked, "down"},
		"no pause":      {3, 0, 0, retry, []time.Duration{0, 0, 0}, monitoring.Parked, "down"},
		"a timeout":     {2, time.Second, 0, func(context.Context, int) consumer.Result { return consumer.Timeout(down) }, []time.Duration{0, time.Second}, monitoring.Parked, "down"},
		"a zero Result": {2, time.Second, 0, func(context.Context, int) consumer.Result { return consumer.Result{} }, []time.Duration{0, time.Second}, monitoring.Parked, "zero Result"},
		"an Error":      {3, time.Second, 0, func(context.Context, int) consumer.Result { return consumer.Error(down) }, []time.Duration{0}, monitoring.Parked, "down"},
		"a Snooze":      {3, time.Second, 0, func(context.Context, int) consumer.Result { return consumer.Snooze(time.Second) }, []time.Duration{0}, monitoring.Snoozed, ""},
		"a longer delay": {2, time.Second, 0, func(context.Context, int) consumer.Result { return consumer.RetryAfter(7*time.Second, down) },
			[]time.Duration{0, 7 * time.Second}, monitoring.Parked, "down"},
		"a shorter delay": {2, time.Second, 0, func(context.Context, int) consumer.Result { return consumer.RetryAfter(time.Millisecond, down) },
			[]time.Duration{0, time.Second}, monitoring.Parked, "down"},
		"a delay beyond the deadline": {2, time.Second, 10 * time.Second, func(context.Context, int) consumer.Result { return consumer.RetryAfter(time.Hour, down) },
			[]time.Duration{0}, monitoring.Parked, "down"},
		"no time for more tries": {9, time.Second, 2500 * time.Millisecond, retry, []time.Duration{0, time.Second, 2 * time.Second}, monitoring.Parked, "down"},
		"a panic, and then it works": {3, time.Second, 0, func(_ context.Context, n int) consumer.Result {
			if n == 1 {
				panic("boom")
			}
			return consumer.Ack()
		}, []time.Duration{0, time.Second}, monitoring.Acked, ""},
		"panics alone":               {2, time.Second, 0, func(context.Context, int) consumer.Result { panic(down) }, []time.Duration{0, time.Second}, monitoring.Parked, "panic: down"},
		"a panic without time":       {2, time.Minute, time.Second, func(context.Context, int) consumer.Result { panic("boom") }, []time.Duration{0}, monitoring.Parked, "panic: boom"},
		"Goexit is not tried again":  {3, time.Second, 0, func(context.Context, int) consumer.Result { runtime.Goexit(); panic("never") }, []time.Duration{0}, monitoring.Parked, "Goexit"},
		"the handler waits too long": {3, time.Second, 2 * time.Second, func(ctx context.Context, _ int) consumer.Result { <-ctx.Done(); return consumer.Retry(down) }, []time.Duration{0}, monitoring.Parked, "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began, s := inPlace(t, c.tries, c.pause, c.timeout, c.call)
				if len(began) != len(c.began) {
					t.Fatalf("tries began at %v, want %v", began, c.began)
				}
				for i := range began {
					if began[i] != c.began[i] {
						t.Errorf("tries began at %v, want %v", began, c.began)
					}
				}
				if s.Action != c.action {
					t.Errorf("it is %s, want %s", s.Action, c.action)
				}
				if text := ""; c.err != "" {
					if s.Err != nil {
						text = s.Err.Error()
					}
					if !strings.Contains(text, c.err) {
						t.Errorf("the error is %q, want %q", text, c.err)
					}
				}
			})
		})
	}
}

func TestTheStackOfTheLastPanicIsThatOfTheHandler(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, s := inPlace(t, 2, time.Second, 0, func(context.Context, int) consumer.Result { return thisOnePanics() })
		if s.Reason != monitoring.ReasonPanic || !strings.Contains(s.Stack, "thisOnePanics") {
			t.Errorf("the reason is %q and the stack %s", s.Reason, s.Stack)
		}
	})
}

func thisOnePanics() consumer.Result { panic("boom") }

func TestInPlaceRefusesWhatCannotBeMeant(t *testing.T) {
	for want, m := range map[string]consumer.Middleware{
		"InPlace has 0 tries, want 1 to 1000":         use.InPlace(0, time.Second),
		"InPlace has 1001 tries":                      use.InPlace(1001, time.Second),
		"the pause of InPlace is -1s, want 0 or more": use.InPlace(2, -time.Second),
	} {
		_, err := consumer.New(nil, consumer.Spec{Queue: "q", Use: []consumer.Middleware{m}, Handler: func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }}, nil, nil)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
