package amqptest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// suffixes are those of the names of queues and exchanges that the framework declares beside a
// queue. The names of retry queues have their delays. A broker lists its queues only for its own
// tools, so these are the usual delays of tests. Deleting a queue that does not exist is no error.
var suffixes = []string{
	"", "-error", "-quarantine", "-retry", "-retry-requeue",
	"-retry-1ms", "-retry-5ms", "-retry-10ms", "-retry-20ms", "-retry-50ms",
	"-retry-100ms", "-retry-200ms", "-retry-250ms", "-retry-300ms", "-retry-500ms",
	"-retry-1s", "-retry-1500ms", "-retry-2s", "-retry-3s", "-retry-5s", "-retry-10s", "-retry-30s",
	"-retry-1m", "-retry-60s", "-retry-1h",
}

// Queue returns a name for a queue that no other test uses. It declares nothing. At cleanup it
// deletes the queue and those that the framework declares beside it. Pass other suffixes, such as
// "-retry-70ms".
func Queue(t testing.TB, prefix string, moreSuffixes ...string) string {
	t.Helper()
	queue := prefix + "-" + unique()
	var names []string
	for _, suffix := range append(suffixes[:len(suffixes):len(suffixes)], moreSuffixes...) {
		names = append(names, queue+suffix)
	}
	Cleanup(t, names...)
	return queue
}

func unique() string { return strings.ToLower(rand.Text()[:8]) }

// Cleanup deletes queues and exchanges of these names at the end of the test.
func Cleanup(t testing.TB, names ...string) {
	t.Helper()
	// Cleanups run in reverse order: this connection must be closed last.
	own(t)
	t.Cleanup(func() {
		err := with(t, func(ch *amqp.Channel) error {
			for _, name := range names {
				if _, err := ch.QueueDelete(name, false, false, false); err != nil {
					return err
				}
				if err := ch.ExchangeDelete(name, false, false); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Errorf("amqptest: cleanup: %v", err)
		}
	})
}

// Depth returns how many messages of the queue are ready. It does not count those that a consumer
// holds.
func Depth(t testing.TB, queue string) int {
	t.Helper()
	depth, err := inspect(t, queue)
	if err != nil {
		t.Fatalf("amqptest: depth of %s: %v", queue, err)
	}
	return depth
}

// Exists says whether the queue exists.
func Exists(t testing.TB, queue string) bool {
	t.Helper()
	_, err := inspect(t, queue)
	var refused *amqp.Error
	if errors.As(err, &refused) && refused.Code == amqp.NotFound {
		return false
	}
	if err != nil {
		t.Fatalf("amqptest: inspect %s: %v", queue, err)
	}
	return true
}

// inspect looks at a queue. A broker whose quorum queue does not answer within 250 ms says that it
// is empty, so an answer that says so late is not taken.
func inspect(t testing.TB, queue string) (depth int, err error) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; {
		began := time.Now()
		var q amqp.Queue
		err = with(t, func(ch *amqp.Channel) (err error) {
			began = time.Now()
			q, err = ch.QueueDeclarePassive(queue, false, false, false, false, nil)
			return err
		})
		if err != nil || q.Messages > 0 || q.Consumers > 0 || time.Since(began) < 250*time.Millisecond {
			return q.Messages, err
		}
		if time.Now().After(end) {
			return 0, errors.New("the queue does not tell the broker how many messages it has")
		}
	}
}

// Publish sends a message and waits until the broker has confirmed it and routed it to a queue.
func Publish(t testing.TB, exchange, key string, msg amqp.Publishing) {
	t.Helper()
	err := with(t, func(ch *amqp.Channel) error {
		if err := ch.Confirm(false); err != nil {
			return err
		}
		returns := ch.NotifyReturn(make(chan amqp.Return, 1))
		confirm, err := ch.PublishWithDeferredConfirm(exchange, key, true, false, msg)
		if err != nil {
			return err
		}
		ok, err := confirm.WaitContext(t.Context())
		if err != nil {
			return err
		}
		select {
		case back, open := <-returns: // a return is dispatched before its confirm
			if open {
				return fmt.Errorf("returned: %d %s", back.ReplyCode, back.ReplyText)
			}
		default:
		}
		if !ok {
			return errors.New("not accepted by the broker")
		}
		return nil
	})
	if err != nil {
		t.Fatalf("amqptest: publish to exchange %q, key %q: %v", exchange, key, err)
	}
}
