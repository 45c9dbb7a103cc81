package link_test

import (
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// The broker takes no frame above the negotiated size, whatever the client can read on the link.
func TestALargeBodyCanBePublishedOnEachLinkThatPublishes(t *testing.T) {
	conn := connect(t, connection.Config{URL: amqptest.URL(t)}).Transport()
	queue := amqptest.Queue(t, "large")
	if _, err := amqptest.Channel(t).QueueDeclare(queue, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	for name, l := range map[string]transport.Link{"publishing": conn.Publishing(), "dedicated": conn.Dedicated("test")} {
		ch, err := session(t, l).Channel(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := ch.Confirm(false); err != nil {
			t.Fatal(err)
		}
		confirm, err := ch.Publish("", queue, true, amqp.Publishing{Body: make([]byte, 1<<20)})
		if err != nil {
			t.Fatal(err)
		}
		select {
		case <-confirm.Done():
		case <-time.After(20 * time.Second):
		}
		if !confirm.Acked() {
			t.Errorf("a body of 1 MiB on the %s link is not confirmed", name)
		}
	}
}
