package connection_test

import (
	"errors"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// The broker closes a channel, or the whole connection, that asks for something it does not know.
func TestARawChannelHarmsNobodyElse(t *testing.T) {
	conn := connect(t, connection.Config{URL: amqptest.URL(t)})
	consuming, publishing := session(t, conn.Transport().Consuming()), session(t, conn.Transport().Publishing())
	ch, err := conn.Channel(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	ended := ch.NotifyClose(make(chan *amqp.Error, 1))
	if _, err := ch.QueueDeclare("", false, true, true, false, amqp.Table{"x-queue-type": 7}); err == nil {
		t.Fatal("a queue of type 7")
	}
	<-ended //nolint:errcheck // that there is one is enough
	again, err := conn.Channel(soon(t))
	if err != nil || again == ch {
		t.Fatalf("after its end: %v", err)
	}
	works(t, consuming)
	works(t, publishing)
	if h := conn.Health(); h.Consuming.Lost+h.Publishing.Lost > 0 {
		t.Errorf("%+v", h)
	}
	if err := conn.Stop(soon(t)); err != nil {
		t.Fatal(err)
	}
	if !again.IsClosed() {
		t.Error("Stop leaves a raw channel open")
	}
	if _, err := conn.Channel(soon(t)); !errors.Is(err, connection.ErrClosed) {
		t.Errorf("after Stop: %v, want ErrClosed", err)
	}
}
