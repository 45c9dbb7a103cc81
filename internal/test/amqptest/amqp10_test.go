package amqptest_test

import (
	"math"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestMessagesOfAnAMQP10ClientArriveOrEndTheConnection(t *testing.T) {
	if amqptest.Major(t) < 4 {
		t.Skip("before RabbitMQ 4 AMQP 1.0 is a plugin")
	}
	queue := amqptest.Queue(t, "amqptest")
	declare(t, queue)
	amqptest.Publish10(t, queue, amqptest.Message10{ID: "good", Body: "{}", Properties: map[string]any{"s": "x", "n": int64(42), "ok": true, "ratio": 1.5}})
	amqptest.Eventually(t, 5*time.Second, func() bool { return amqptest.Depth(t, queue) == 1 }, "no message")
	d := amqptest.Get(t, queue)
	if d.MessageId != "good" || string(d.Body) != "{}" || d.DeliveryMode != amqp.Persistent || d.Headers["s"] != "x" || d.Headers["n"] != int64(42) || d.Headers["ratio"] != 1.5 {
		t.Errorf("got %+v", d)
	}
	bad := map[string]any{"UUID": amqptest.UUID{7}, "char": amqptest.Char('A')}
	if strings.HasPrefix(amqptest.Version(t), "4.0.") { // 4.3 leaves it out
		bad["NaN"] = math.NaN()
	}
	for name, value := range bad {
		t.Run(name, func(t *testing.T) {
			queue := amqptest.Queue(t, "amqptest")
			declare(t, queue)
			amqptest.Publish10(t, queue, amqptest.Message10{ID: "bad", Body: "{}", Properties: map[string]any{"p": value}})
			amqptest.Eventually(t, 5*time.Second, func() bool { return amqptest.Depth(t, queue) == 1 }, "no message")
			conn := amqptest.Dial(t)
			ch, err := conn.Channel()
			if err != nil {
				t.Fatal(err)
			}
			closed := conn.NotifyClose(make(chan *amqp.Error, 1))
			_, _, _ = ch.Get(queue, false)
			select {
			case why := <-closed:
				if why == nil || why.Code != amqp.InternalError {
					t.Errorf("the connection ends with %v, want 541", why)
				}
			case <-time.After(5 * time.Second):
				t.Error("the connection lives on")
			}
		})
	}
}
