package main

import (
	"context"
	"testing"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestTheOrderIsHandledAndAllIsStopped(t *testing.T) {
	queue := amqptest.Queue(t, "plain")
	ctx, cancel := context.WithCancel(t.Context())
	orders := make(chan int, 1)
	spec := consumer.Spec{Queue: queue, Handler: consumer.JSON(func(ctx context.Context, msg consumer.Message[Order]) consumer.Result {
		defer cancel() // as ^C does
		orders <- msg.Payload.Number
		return Handle(ctx, msg)
	})}
	if err := run(ctx, connection.Config{URL: amqptest.URL(t)}, spec); err != nil {
		t.Error(err)
	}
	if number := <-orders; number != 1 {
		t.Errorf("order %d", number)
	}
	if n := amqptest.Depth(t, queue); n != 0 {
		t.Errorf("%d messages are left: the ack was lost", n)
	}
}
