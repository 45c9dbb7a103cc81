package otel_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring/otel"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// The links lead from a publish through a retry queue to the handler's second attempt, and on to
// the message that this attempt publishes.
func TestAMessagesWayIsLinkedOverARetryAndToWhatItsHandlerPublishes(t *testing.T) {
	first, second := amqptest.Queue(t, "first"), amqptest.Queue(t, "second")
	spans := tracetest.NewSpanRecorder()
	var pub publisher.Publisher
	app := fx.New(
		connection.Module, publisher.Module, consumer.Module, otel.Module, fx.NopLogger, fx.Populate(&pub),
		fx.Supply(
			slog.New(slog.DiscardHandler), connection.Config{URL: amqptest.URL(t)},
			otel.Config{TracerProvider: sdk.NewTracerProvider(sdk.WithSpanProcessor(spans)), RoutingKeys: []string{first, second}},
		),
		consumer.Provide(
			func(pub publisher.Publisher) consumer.Spec {
				return consumer.Spec{Queue: first, Backoff: []time.Duration{100 * time.Millisecond}, Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result {
					if d.Attempt == 1 {
						return consumer.Retry(errors.New("not yet"))
					}
					if err := pub.Publish(ctx, second, 1); err != nil {
						return consumer.Retry(err)
					}
					return consumer.Ack()
				}}
			},
			func() consumer.Spec {
				return consumer.Spec{Queue: second, Handler: func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }}
			},
		),
	)
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := pub.Publish(t.Context(), first, 1); err != nil {
		t.Fatal(err)
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return len(spans.Ended()) == 5 }, "not all spans have ended")
	if err := app.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	named := map[string][]sdk.ReadOnlySpan{}
	for _, s := range spans.Ended() {
		named[s.Name()] = append(named[s.Name()], s)
	}
	send, attempts, forward, last := named["send "+first], named["process "+first], named["send "+second], named["process "+second]
	if len(send) != 1 || len(attempts) != 2 || len(forward) != 1 || len(last) != 1 {
		t.Fatalf("the spans are %v", named)
	}
	linked := func(from, to sdk.ReadOnlySpan) {
		t.Helper()
		if links := from.Links(); len(links) != 1 || links[0].SpanContext.SpanID() != to.SpanContext().SpanID() {
			t.Errorf("%q has links %v, want one to %q", from.Name(), links, to.Name())
		}
	}
	linked(attempts[0], send[0])
	linked(attempts[1], send[0])
	linked(last[0], forward[0])
	if forward[0].Parent().SpanID() != attempts[1].SpanContext().SpanID() {
		t.Error("what a handler publishes is not part of its trace")
	}
}

func TestAnAppThatPublishesNothingCanBeTraced(t *testing.T) {
	app := fx.New(otel.Module, fx.NopLogger, fx.Invoke(func(*otel.Monitor) {}))
	if err := app.Err(); err != nil {
		t.Error(err)
	}
}
