package publisher_test

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// A Client leaves some bytes free, for the headers that a consumer adds when it retries the
// message.
func TestAClientsHeadersAreLimitedToTheByte(t *testing.T) {
	const limit = wire.MaxProperties - 4<<10
	options := func(n int) []publisher.Option {
		return []publisher.Option{publisher.MessageID("m"), publisher.Header("h", strings.Repeat("x", n))}
	}
	small, err := publisher.Config{}.Build("q", 1, options(0)...)
	if err != nil {
		t.Fatal(err)
	}
	room := limit - small.PropertiesSize()
	atTheLimit, err := publisher.Config{}.Build("q", 1, options(room)...)
	if err != nil || atTheLimit.PropertiesSize() != limit {
		t.Errorf("at the limit: %d bytes, %v", atTheLimit.PropertiesSize(), err)
	}
	if _, err := (publisher.Config{}).Build("q", 1, options(room+1)...); !errors.Is(err, publisher.ErrTooLarge) {
		t.Errorf("one byte above it: %v, want ErrTooLarge", err)
	}

	q := queue(t, quorum)
	pub := client(t, connect(t, connection.Config{}), publisher.Config{})
	if err := pub.Publish(soon(t), q, 1, options(room)...); err != nil {
		t.Errorf("the broker does not take it: %v", err)
	}
	if h, _ := amqptest.Get(t, q).Headers["h"].(string); len(h) != room {
		t.Errorf("%d bytes arrived, want %d", len(h), room)
	}
}

func TestNamesOfExactly255BytesArrive(t *testing.T) {
	pub := client(t, connect(t, connection.Config{}), publisher.Config{})
	q := queue(t, quorum)
	exchange := q + strings.Repeat("e", 255-len(q))
	key := strings.Repeat("ä", 127) + "k"
	amqptest.Cleanup(t, exchange)
	ch := amqptest.Channel(t)
	if err := ch.ExchangeDeclare(exchange, "direct", true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	if err := ch.QueueBind(q, key, exchange, false, nil); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 255)
	err := pub.Publish(soon(t), key, 1, publisher.Exchange(exchange), publisher.MessageID(long), publisher.CorrelationID(long), publisher.ReplyTo(long),
		publisher.Type(long), publisher.AppID(long), publisher.ContentType(long), publisher.ContentEncoding(long), publisher.Header(long, long))
	if err != nil {
		t.Fatal(err)
	}
	d := amqptest.Get(t, q)
	for name, got := range map[string]string{
		"message id": d.MessageId, "correlation id": d.CorrelationId, "reply-to": d.ReplyTo, "type": d.Type, "app id": d.AppId,
		"content type": d.ContentType, "content encoding": d.ContentEncoding,
	} {
		if got != long {
			t.Errorf("%s has %d bytes", name, len(got))
		}
	}
	if d.Exchange != exchange || d.RoutingKey != key || d.Headers[long] != long {
		t.Errorf("exchange of %d bytes, key of %d bytes, header %v", len(d.Exchange), len(d.RoutingKey), d.Headers[long] == long)
	}
}

// MaxBody limits a body. Beyond that the broker limits it, and closes the channel that all messages
// share.
func TestABodyIsLimitedByUsAndThenByTheBroker(t *testing.T) {
	q := queue(t, quorum)
	conn := connect(t, connection.Config{})
	byDefault := client(t, conn, publisher.Config{})
	body := make([]byte, sending.DefaultMaxBody+1)
	if err := byDefault.Publish(soon(t), q, body); !errors.Is(err, publisher.ErrTooLarge) {
		t.Errorf("one byte above the default: %v, want ErrTooLarge", err)
	}
	if err := byDefault.Publish(soon(t), q, body[1:]); err != nil {
		t.Errorf("at the default: %v", err)
	}
	if n := len(amqptest.Get(t, q).Body); n != sending.DefaultMaxBody {
		t.Errorf("%d bytes arrived", n)
	}

	larger := client(t, conn, publisher.Config{MaxBody: 32 << 20})
	err := larger.Publish(soon(t), q, body)
	// RabbitMQ 3 itself allows 128 MiB.
	if amqptest.Major(t) < 4 {
		if err != nil {
			t.Errorf("below the broker's limit: %v", err)
		}
		return
	}
	refused(t, err, amqp.PreconditionFailed, larger, q)
	if lost := conn.Health().Publishing.Lost; lost != 0 {
		t.Errorf("the connection was lost %d times", lost)
	}
}

// A table that is nested deeper than 32 would end the connection of every consumer that gets it.
func TestHeadersNestedAsDeepAsIsAllowedArrive(t *testing.T) {
	q := queue(t, quorum)
	pub := client(t, connect(t, connection.Config{}), publisher.Config{})
	deep, want := any("bottom"), any("bottom")
	for range 15 {
		deep, want = map[string]any{"l": deep}, amqp.Table{"l": want}
	}
	if err := pub.Publish(soon(t), q, 1, publisher.Header("h", deep)); err != nil {
		t.Fatal(err)
	}
	if got := amqptest.Get(t, q).Headers["h"]; !reflect.DeepEqual(got, want) {
		t.Errorf("%v arrived", got)
	}
	err := pub.Publish(soon(t), q, 1, publisher.Header("h", map[string]any{"l": deep}))
	if err == nil || !strings.Contains(err.Error(), "nested deeper than 16") {
		t.Errorf("one level more: %v", err)
	}
}
