package monitoring_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

func ExampleCallbacks() {
	var m monitoring.Monitor = monitoring.Callbacks{
		OnSuccess: func(_ context.Context, d monitoring.Delivery, _ monitoring.Outcome) {
			fmt.Printf("%s: done at attempt %d\n", d.Consumer, d.Attempt)
		},
		OnException: func(_ context.Context, d monitoring.Delivery, o monitoring.Outcome) {
			fmt.Printf("%s: %s: %v\n", d.Consumer, o.Action, o.Err)
		},
	}

	d := monitoring.Delivery{Consumer: "orders", Attempt: 1, MaxRetries: 1}
	busy := errors.New("warehouse is busy")
	m.End(context.Background(), d, monitoring.Outcome{Action: monitoring.Retried, Reason: monitoring.ReasonRetry, Err: busy})
	d.Attempt++
	m.End(context.Background(), d, monitoring.Outcome{Action: monitoring.Acked})
	// Output:
	// orders: retried: warehouse is busy
	// orders: done at attempt 2
}

func ExampleLog() {
	withoutTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	m := monitoring.Log{
		Logger:     slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime})),
		LogPayload: 12,
	}

	d := monitoring.Delivery{
		Consumer: "orders", Queue: "orders", MessageID: "7f3a", Attempt: 4, MaxRetries: 3,
		Body: []byte(`{"id":7,"email":"dracula@example.com"}`),
	}
	m.End(context.Background(), d, monitoring.Outcome{
		Action: monitoring.Parked, Reason: monitoring.ReasonTimeout, Duration: time.Minute,
	})
	// Output:
	// level=ERROR msg="message parked" consumer=orders queue=orders message_id=7f3a attempt=4 max_retries=3 duration=1m0s reason=timeout payload="{\"id\":7,\"ema" payload_size=38
}

func ExampleMulti() {
	count := map[monitoring.Action]int{}
	m := monitoring.Multi(
		monitoring.Callbacks{
			OnSuccess: func(context.Context, monitoring.Delivery, monitoring.Outcome) { count[monitoring.Acked]++ },
		},
		monitoring.Log{Logger: slog.New(slog.DiscardHandler)},
	)

	m.End(context.Background(), monitoring.Delivery{}, monitoring.Outcome{Action: monitoring.Acked})
	fmt.Println(count)
	// Output:
	// map[acked:1]
}
