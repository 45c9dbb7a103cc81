package publisher_test

import (
	"errors"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func TestNilMeansConfirmedAndInAQueue(t *testing.T) {
	q := queue(t, quorum)
	pub := client(t, connect(t, connection.Config{}), publisher.Config{})
	if err := pub.Publish(soon(t), q, map[string]int{"a": 1}); err != nil {
		t.Fatal(err)
	}
	if n := amqptest.Depth(t, q); n != 1 {
		t.Fatalf("%d messages in the queue, want 1", n)
	}
	if body := string(amqptest.Get(t, q).Body); body != `{"a":1}` {
		t.Errorf("body is %s", body)
	}
}

func TestAnUnroutableMessageFails(t *testing.T) {
	pub := client(t, connect(t, connection.Config{}), publisher.Config{})
	err := pub.Publish(soon(t), "no-such-queue", 1)
	if !errors.Is(err, publisher.ErrUnroutable) || !strings.Contains(err.Error(), `queue "no-such-queue"`) {
		t.Errorf("to the default exchange: %v", err)
	}
	err = pub.Publish(soon(t), "nobody.listens", 1, publisher.Exchange("amq.topic"))
	if !errors.Is(err, publisher.ErrUnroutable) || !strings.Contains(err.Error(), `exchange "amq.topic", key "nobody.listens"`) {
		t.Errorf("to an exchange: %v", err)
	}
}

func TestAMessageThatIsNotMandatoryMayBeDropped(t *testing.T) {
	pub := client(t, connect(t, connection.Config{}), publisher.Config{})
	if err := pub.Publish(soon(t), "no-such-queue", 1, publisher.NotMandatory()); err != nil {
		t.Error(err)
	}
}

func TestAFullQueueRefusesAndTheNextPublishGoesOn(t *testing.T) {
	// The queue is classic, because the length limit of a quorum queue is soft.
	full := queue(t, amqp.Table{"x-queue-type": "classic", "x-max-length": 1, "x-overflow": "reject-publish"})
	other := queue(t, quorum)
	pub := client(t, connect(t, connection.Config{}), publisher.Config{})
	if err := pub.Publish(soon(t), full, 1); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := pub.Publish(soon(t), full, 2); !errors.Is(err, publisher.ErrNacked) {
			t.Errorf("got %v, want ErrNacked", err)
		}
	}
	if err := pub.Publish(soon(t), other, 3); err != nil {
		t.Error(err)
	}
	if n := amqptest.Depth(t, full); n != 1 {
		t.Errorf("%d messages in the full queue, want 1", n)
	}
}

// refused checks that err is a RefusedError of this code, and that pub still works.
func refused(t *testing.T, err error, code int, pub publisher.Publisher, queue string) {
	t.Helper()
	var refused *publisher.RefusedError
	if !errors.As(err, &refused) || refused.Code != code || refused.Text == "" {
		t.Errorf("got %v, want refused with %d", err, code)
	}
	if pub == nil {
		return
	}
	if err := pub.Publish(soon(t), queue, 1); err != nil {
		t.Errorf("the next publish: %v", err)
	}
}

func TestAnExchangeThatDoesNotExistIsRefused(t *testing.T) {
	q := queue(t, quorum)
	pub := client(t, connect(t, connection.Config{}), publisher.Config{})
	for range 3 {
		err := pub.Publish(soon(t), "key", 1, publisher.Exchange("no-such-exchange"))
		refused(t, err, amqp.NotFound, pub, q)
		if !strings.Contains(err.Error(), `exchange "no-such-exchange"`) {
			t.Errorf("%v does not name the exchange", err)
		}
	}
}

func TestAUserWithoutPermissionIsRefused(t *testing.T) {
	q := queue(t, quorum)
	user := amqptest.Queue(t, "publisher-user")
	amqptest.User(t, user, "secret", "^$", "^amq\\.default$", "^$")

	pub := client(t, connect(t, connection.Config{Username: user, Password: "secret"}), publisher.Config{})
	err := pub.Publish(soon(t), "key", 1, publisher.Exchange("amq.topic"))
	refused(t, err, amqp.AccessRefused, pub, q)
}

func TestAForeignUserIDIsRefused(t *testing.T) {
	q := queue(t, quorum)
	conn := connect(t, connection.Config{})
	s := sender(t, conn)
	env := sending.Envelope{RoutingKey: q, Publishing: amqp.Publishing{MessageId: "m", UserId: "somebody-else"}}
	refused(t, s.Send(soon(t), env), amqp.PreconditionFailed, nil, "")
	env.UserId = ""
	if err := s.Send(soon(t), env); err != nil {
		t.Errorf("the next one: %v", err)
	}
	account(t, q, []string{"m"})
}

func TestWhatWouldBreakTheConnectionIsRefusedBeforeTheWire(t *testing.T) {
	q := queue(t, quorum)
	proxy := amqptest.NewProxy(t, amqptest.URL(t))
	conn := connect(t, connection.Config{URL: proxy.URL()})
	pub, s := client(t, conn, publisher.Config{}), sender(t, conn)
	big := strings.Repeat("x", 64<<10)
	long := strings.Repeat("x", 256)

	err := pub.Publish(soon(t), q, 1, publisher.Header("a", big), publisher.Header("b", big))
	if !errors.Is(err, publisher.ErrTooLarge) {
		t.Errorf("Publish: %v, want ErrTooLarge", err)
	}
	for name, env := range map[string]sending.Envelope{
		"large headers":    {RoutingKey: q, Publishing: amqp.Publishing{Headers: amqp.Table{"a": big, "b": big}}},
		"header type":      {RoutingKey: q, Publishing: amqp.Publishing{Headers: amqp.Table{"a": struct{}{}}}},
		"header name":      {RoutingKey: q, Publishing: amqp.Publishing{Headers: amqp.Table{long: 1}}},
		"nested name":      {RoutingKey: q, Publishing: amqp.Publishing{Headers: amqp.Table{"a": []any{amqp.Table{long: 1}}}}},
		"long routing key": {RoutingKey: long},
		"long exchange":    {RoutingKey: q, Exchange: long},
		"long property":    {RoutingKey: q, Publishing: amqp.Publishing{Type: long}},
	} {
		err := s.Send(soon(t), env)
		if err == nil || !strings.HasPrefix(err.Error(), "publisher: publish to ") {
			t.Errorf("Send, %s: %v", name, err)
		}
		if large := name == "large headers"; errors.Is(err, publisher.ErrTooLarge) != large {
			t.Errorf("Send, %s: %v, is ErrTooLarge: %v", name, err, !large)
		}
	}
	if err := pub.Publish(soon(t), q, 1); err != nil {
		t.Fatal(err)
	}
	if lost := conn.Health().Publishing.Lost; lost != 0 {
		t.Errorf("the connection was lost %d times", lost)
	}

	// Messages at the limit arrive: from a Client, and from a Sender, whose limit is the frame.
	err = pub.Publish(soon(t), q, 1, publisher.Header("a", big), publisher.Header("b", big[:48<<10]))
	if err != nil {
		t.Errorf("Publish, below the limit: %v", err)
	}
	whole := amqp.Table{"h": strings.Repeat("x", 128<<10-8-14-4-1-1-5)}
	if err := s.Send(soon(t), sending.Envelope{RoutingKey: q, Publishing: amqp.Publishing{Headers: whole}}); err != nil {
		t.Errorf("Send, at the limit: %v", err)
	}
	err = s.Send(soon(t), sending.Envelope{RoutingKey: q, Publishing: amqp.Publishing{Headers: whole, Priority: 1}})
	if !errors.Is(err, publisher.ErrTooLarge) {
		t.Errorf("Send, one byte above it: %v, want ErrTooLarge", err)
	}
	if n := amqptest.Depth(t, q); n != 3 {
		t.Errorf("%d messages in the queue, want 3", n)
	}
	if lost := conn.Health().Publishing.Lost; lost != 0 {
		t.Errorf("the connection was lost %d times", lost)
	}
}

func TestABodyAboveTheLimitIsRefused(t *testing.T) {
	q := queue(t, quorum)
	pub := client(t, connect(t, connection.Config{}), publisher.Config{MaxBody: 3 << 20})
	if err := pub.Publish(soon(t), q, make([]byte, 3<<20+1)); !errors.Is(err, publisher.ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	if err := pub.Publish(soon(t), q, make([]byte, 3<<20)); err != nil {
		t.Error(err)
	}
	if n := len(amqptest.Get(t, q).Body); n != 3<<20 {
		t.Errorf("%d bytes arrived", n)
	}
}

func TestABatchOfEnvelopesIsSentInOrderAndEachHasItsError(t *testing.T) {
	s, q := sender(t, connect(t, connection.Config{})), queue(t, quorum)
	envs := make([]sending.Envelope, 600) // more than the sender's window
	for i := range envs {
		envs[i] = sending.Envelope{RoutingKey: q, Publishing: amqp.Publishing{MessageId: id(i), Headers: amqp.Table{"bunnicula-reason": "kept"}}}
	}
	envs[3].RoutingKey = q + "-gone"
	envs[4].Headers = amqp.Table{"h": struct{}{}}
	for i, err := range s.SendBatch(soon(t), envs) {
		switch {
		case i == 3 && !errors.Is(err, publisher.ErrUnroutable), i == 4 && (err == nil || !strings.Contains(err.Error(), "headers")), i != 3 && i != 4 && err != nil:
			t.Errorf("message %d: %v", i, err)
		}
	}
	got := amqptest.Drain(t, q)
	if len(got) != len(envs)-2 {
		t.Fatalf("%d messages are there, want %d", len(got), len(envs)-2)
	}
	for i, d := range got {
		want := i
		if i >= 3 {
			want += 2
		}
		if d.MessageId != id(want) || d.Headers["bunnicula-reason"] != "kept" {
			t.Fatalf("message %d is %s, %v", i, d.MessageId, d.Headers)
		}
	}
}
