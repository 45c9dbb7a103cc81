package amqptest

import (
	"fmt"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// patience is how long [Get] waits: much longer than any successful operation takes.
const patience = 10 * time.Second

// Get takes the next message from the queue. It waits for one if the queue is empty.
func Get(t testing.TB, queue string) amqp.Delivery {
	t.Helper()
	var d amqp.Delivery
	Eventually(t, patience, func() bool {
		var ok bool
		d, ok = take(t, queue)
		return ok
	}, "no message in %s", queue)
	return d
}

// Drain takes all messages that are in the queue now.
func Drain(t testing.TB, queue string) []amqp.Delivery {
	t.Helper()
	var all []amqp.Delivery
	err := with(t, func(ch *amqp.Channel) error {
		for {
			d, ok, err := ch.Get(queue, true)
			if err != nil || !ok {
				return err
			}
			all = append(all, d)
		}
	})
	if err != nil {
		t.Fatalf("amqptest: drain %s: %v", queue, err)
	}
	return all
}

func take(t testing.TB, queue string) (d amqp.Delivery, ok bool) {
	t.Helper()
	err := with(t, func(ch *amqp.Channel) error {
		var err error
		d, ok, err = ch.Get(queue, true)
		return err
	})
	if err != nil {
		t.Fatalf("amqptest: get from %s: %v", queue, err)
	}
	return d, ok
}

// Eventually calls cond until it is true. If that takes longer than within, the test fails with the
// message. It is for the broker's state, whose changes the broker does not report. The framework's
// own time is simulated instead.
func Eventually(t testing.TB, within time.Duration, cond func() bool, format string, args ...any) {
	t.Helper()
	for end := time.Now().Add(within); !cond(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s, within %v", fmt.Sprintf(format, args...), within)
		}
	}
}

// Fail takes the first message of a queue and gives it back as a failure, so that its delivery
// count increases with every version of RabbitMQ. A reject does that. A nack does not, from
// RabbitMQ 4.3 on.
func Fail(t testing.TB, queue string) {
	t.Helper()
	ch := Channel(t)
	Eventually(t, 5*time.Second, func() bool {
		d, ok, err := ch.Get(queue, false)
		return err == nil && ok && d.Reject(true) == nil
	}, "amqptest: queue %s has no message to give back", queue)
}
