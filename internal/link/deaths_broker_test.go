package link_test

import (
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// A message that has died twice, with headers of its own, arrives on each link. Only consumers do
// not see the record of that.
func TestOnlyAConsumersLinkLeavesOutDeaths(t *testing.T) {
	conn := connect(t, connection.Config{URL: amqptest.URL(t)}).Transport()
	queue, waiting := amqptest.Queue(t, "deaths"), amqptest.Queue(t, "deaths-waiting")
	ch := amqptest.Channel(t)
	for name, args := range map[string]amqp.Table{
		queue:   {"x-queue-type": "quorum", "x-dead-letter-exchange": "", "x-dead-letter-routing-key": waiting},
		waiting: {"x-queue-type": "quorum", "x-dead-letter-exchange": "", "x-dead-letter-routing-key": queue, "x-message-ttl": 50},
	} {
		if _, err := ch.QueueDeclare(name, true, false, false, false, args); err != nil {
			t.Fatal(err)
		}
	}
	sent := amqp.Publishing{MessageId: "id", Body: []byte("body"), Headers: amqp.Table{"mine": "text", "retry-attempts": int64(1)}}
	if err := ch.PublishWithContext(t.Context(), "", waiting, false, false, sent); err != nil {
		t.Fatal(err)
	}
	for name, link := range map[string]transport.Link{
		"consuming": conn.Consuming(), "consuming alone": conn.ConsumingAlone("test"), "reading": conn.Reading("test"), "dedicated": conn.Dedicated("test"),
	} {
		ch, err := session(t, link).Channel(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		in, err := ch.Consume(queue, "", false, false, false, false, nil)
		if err != nil {
			t.Fatal(err)
		}
		select {
		case d := <-in:
			_, died := d.Headers["x-death"]
			_, first := d.Headers["x-first-death-queue"]
			if want := name == "reading" || name == "dedicated"; died != want || first != want {
				t.Errorf("%s: x-death is there: %t, x-first-death-queue: %t, want %t", name, died, first, want)
			}
			if d.Headers["mine"] != "text" || d.Headers["retry-attempts"] != int64(1) || d.MessageId != "id" || string(d.Body) != "body" {
				t.Errorf("%s: got %v, id %q, body %q", name, d.Headers, d.MessageId, d.Body)
			}
			if err := ch.Reject(d.DeliveryTag, false); err != nil { // to the next link
				t.Fatal(err)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s: nothing came", name)
		}
		if err := ch.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
