package consoleload

import (
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/topology"
)

const (
	bodySize = 1500 // bytes
	kinds    = 300  // of failures
	exact    = "9007199254740993"
)

var padding = strings.Repeat("x", bodySize-100)

// parked is message i as a consumer parks it. The error texts are all different.
func parked(queue string, i int) amqp.Publishing {
	at := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Second / 10)
	return amqp.Publishing{
		DeliveryMode: amqp.Persistent, MessageId: fmt.Sprintf("id-%08d", i), ContentType: "application/json",
		Body: fmt.Appendf(nil, `{"n":%s,"order":%d,"text":%q}`, exact, i, padding),
		Headers: amqp.Table{
			wire.Reason: "timeout", wire.ErrorType: "*net.OpError", wire.ErrorGroup: fmt.Sprintf("%016x", i%kinds),
			wire.Error: fmt.Sprintf("dial tcp 10.0.%d.%d:5432: connect: connection refused, order %d is not paid", i%256, i%200, i),
			wire.Queue: queue, wire.Consumer: queue, wire.App: "shop", wire.AppVersion: fmt.Sprintf("1.%d", i%5), wire.Host: fmt.Sprintf("host-%d", i%40),
			wire.FailedAt: at.Format(time.RFC3339), wire.FirstFailedAt: at.Add(-time.Minute).Format(time.RFC3339),
		},
	}
}

// park declares a consumer's queues and fills its error queue. It returns the consumer's queue.
func park(t *testing.T, prefix string, n int) string {
	t.Helper()
	queue := amqptest.Queue(t, prefix, "-error.reader", "-archive", "-archive.reader")
	top, err := topology.New(planOf(queue))
	if err != nil {
		t.Fatal(err)
	}
	if err := top.Declare(amqptest.Channel(t)); err != nil {
		t.Fatal(err)
	}
	publish(t, queue, 0, n)
	amqptest.Eventually(t, time.Minute, func() bool { return amqptest.Depth(t, queue+"-error") == n }, "%s-error has not %d messages", queue, n)
	return queue
}

const unconfirmed = 2000 // messages

// publish parks messages from to before end.
func publish(t *testing.T, queue string, from, end int) {
	t.Helper()
	ch := amqptest.Channel(t)
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	var before *amqp.DeferredConfirmation
	for i := from; i < end; i++ {
		confirm, err := ch.PublishWithDeferredConfirm("", queue+"-error", true, false, parked(queue, i))
		if err != nil {
			t.Fatal(err)
		}
		if i%unconfirmed != 0 && i < end-1 {
			continue
		}
		if i == end-1 {
			before = confirm
		}
		if before != nil {
			if ok, err := before.WaitContext(t.Context()); err != nil || !ok {
				t.Fatalf("message %d is not confirmed: %v", i, err)
			}
		}
		before = confirm
	}
}
