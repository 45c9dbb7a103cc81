package consumer_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// Whatever fx logs: the app's own log names the handler before fx gives up on the stop, and the
// message is in its queue afterwards.
func TestAnAppWhoseStopIsTooShortNamesTheHandlerThatOutlivesIt(t *testing.T) {
	t.Parallel()
	queue := amqptest.Queue(t, "outlive")
	log, began, free, ended := newLines(), make(chan struct{}), make(chan struct{}), make(chan struct{})
	a := fx.New(
		fx.NopLogger, connection.Module, consumer.Module,
		fx.Supply(connection.Config{URL: amqptest.URL(t), Name: "shop"}, slog.New(log)),
		consumer.Provide(func() consumer.Spec {
			return consumer.Spec{Queue: queue, Concurrency: 1, Handler: func(context.Context, consumer.Delivery) consumer.Result {
				defer close(ended)
				close(began)
				<-free
				return consumer.Ack()
			}}
		}),
	)
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	log.want(t, slog.LevelInfo, started, map[string]any{"queue": queue, "concurrency": 1, "prefetch": 10, "broker": amqptest.Version(t)})
	amqptest.Publish(t, "", queue, amqp.Publishing{MessageId: "deaf"})
	<-began

	const stopTimeout = 2 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	stopped, named := make(chan error, 1), make(chan bool, 1)
	context.AfterFunc(ctx, func() { named <- len(log.of(outlive)) == 1 })
	go func() { stopped <- a.Stop(ctx) }()
	if err := <-stopped; err == nil {
		t.Error("the stop succeeded")
	}
	if !<-named {
		t.Error("the handler was not named before the stop was out of time")
	}
	log.want(t, slog.LevelInfo, stops, map[string]any{"queue": queue, "running": 1})
	log.want(t, slog.LevelWarn, hurried, map[string]any{"timeout": "1m0s", "consumers": 1})
	log.want(t, slog.LevelError, outlive, map[string]any{"consumer": queue, "message_id": "deaf", "attempt": 1, "stuck": false})
	depths(t, map[string]int{queue: 1})
	close(free)
	<-ended
	if d := amqptest.Get(t, queue); d.MessageId != "deaf" {
		t.Errorf("the queue has %q", d.MessageId)
	}
}
