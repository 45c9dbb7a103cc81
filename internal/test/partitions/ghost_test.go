package partitions_test

import (
	"fmt"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// RabbitMQ 4.3.6 does not forget a single active consumer that ends while another one was to take
// over from it and has ended before: the queue keeps it, with its unacked messages, as the active
// one, and nobody gets a message until its consumer timeout has passed or the broker is started
// again. This test has no code of this module. It says when a broker no longer does so.
func TestAConsumerThatEndsAfterItsSuccessorHoldsTheQueue(t *testing.T) {
	if !amqptest.AtLeast(t, 4, 0) {
		t.Skip("RabbitMQ before 4.0 has no successors: it ignores priorities of single active consumers")
	}
	t.Parallel()
	const long = 30 * time.Minute
	for _, priority := range []int{0, 5} {
		t.Run(fmt.Sprint("successor with priority ", priority), func(t *testing.T) {
			t.Parallel()
			held := holdsFor(t, priority, long, 3*time.Second) == 3*time.Second
			if want := priority > 0 && amqptest.AtLeast(t, 4, 3); held != want {
				t.Errorf("the queue is held: %t, want %t. If the broker is a newer one: it may be mended, and priorities harmless", held, want)
			}
		})
	}
	t.Run("until its timeout", func(t *testing.T) {
		t.Parallel()
		if !amqptest.AtLeast(t, 4, 3) {
			t.Skip("RabbitMQ before 4.3 does not know the argument")
		}
		const timeout = 4 * time.Second
		if held := holdsFor(t, 5, timeout, time.Minute); held < timeout/2 || held > timeout+15*time.Second {
			t.Errorf("the queue is held for %s, want some %s", held, timeout)
		}
	})
}

// holdsFor plays it: a works, b subscribes and ends, c subscribes, and a ends. It returns how long
// c gets nothing, up to most.
func holdsFor(t *testing.T, priority int, timeout, most time.Duration) time.Duration {
	t.Helper()
	queue := amqptest.Queue(t, "ghost")
	declared := amqp.Table{"x-queue-type": "quorum", "x-single-active-consumer": true}
	if _, err := amqptest.Channel(t).QueueDeclare(queue, true, false, false, false, declared); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		amqptest.Publish(t, "", queue, amqp.Publishing{Body: []byte(fmt.Sprint(i))})
	}
	subscribe := func(priority int) (*amqp.Connection, <-chan amqp.Delivery) {
		conn := amqptest.DialURL(t, amqptest.URL(t))
		ch, err := conn.Channel()
		if err == nil {
			err = ch.Qos(10, 0, false)
		}
		if err != nil {
			t.Fatal(err)
		}
		all, err := ch.Consume(queue, "", false, false, false, false, amqp.Table{
			"x-priority": priority, "x-consumer-timeout": timeout.Milliseconds(),
		})
		if err != nil {
			t.Fatal(err)
		}
		return conn, all
	}
	a, all := subscribe(0)
	for range 10 {
		<-all
	}
	b, _ := subscribe(priority)
	_ = b.Close()
	_, all = subscribe(-5)
	_ = a.Close()
	began := time.Now()
	for time.Since(began) < most {
		select {
		case <-all:
			return time.Since(began)
		case <-time.After(time.Second): // the broker may miss a timeout, until the queue has to do something
			amqptest.Publish(t, "", queue, amqp.Publishing{Body: []byte("later")})
		}
	}
	return most
}
