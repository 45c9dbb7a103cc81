package main

import (
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// What a consumer has rejected bears no error, and whoever looks wants to know why it is there.
func TestAMessageThatAConsumerHasRejectedSaysWhy(t *testing.T) {
	t.Parallel()
	queue := park(t, 0)
	ch := amqptest.Channel(t)
	amqptest.Publish(t, "", queue, amqp.Publishing{MessageId: "large-1", DeliveryMode: amqp.Persistent, Body: []byte("whole")})
	amqptest.Eventually(t, 10*time.Second, func() bool {
		d, ok, err := ch.Get(queue, false)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			if err := d.Reject(false); err != nil {
				t.Fatal(err)
			}
		}
		return ok
	}, "it is not in the queue")
	amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, queue+"-error") == 1 }, "it is not parked")
	s := online(t)
	const said = "a consumer rejected it, because the broker refuses a copy of it: it may be above max_message_size"
	s.run("errors", "ls", queue).want(t, exitOK, "rejected", "large-1", said)
	s.run("errors", "show", queue, "large-1").want(t, exitOK, "parked by: broker", "reason       rejected", said, "says the broker (x-death)", "whole")
	s.run("errors", "groups", queue).want(t, exitOK, "rejected", said)
}
