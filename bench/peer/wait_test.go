package peer_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/bench/peer"
	"github.com/bunnicula-go/bunnicula/internal/test/wirefixtures"
)

// ttl is longer than a test needs to publish its messages.
const ttl = 100 * time.Millisecond

// declareRetry declares the queue in which messages wait before they go to the target.
func declareRetry(t testing.TB, ch *amqp.Channel, name, target string) {
	t.Helper()
	_, err := ch.QueueDeclare(name, true, false, false, false, amqp.Table{
		"x-queue-type": "quorum", "x-message-ttl": ttl.Milliseconds(), "x-dead-letter-exchange": "", "x-dead-letter-routing-key": target,
	})
	if err != nil {
		t.Fatal(err)
	}
}

func publish(t testing.TB, ch *amqp.Channel, queue string, p amqp.Publishing) {
	t.Helper()
	if err := ch.Publish("", queue, true, false, p); err != nil {
		t.Fatal(err)
	}
}

// The file has what a RabbitMQ 4.3 has delivered.
func TestAMessageComesBackAsFromRabbitMQ(t *testing.T) {
	text, err := os.ReadFile("../../docs/wire/broker-came-back-4.3.json")
	if err != nil {
		t.Fatal(err)
	}
	var file wirefixtures.Message
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	want := file.Delivery()
	headers := maps.Clone(want.Headers)
	maps.DeleteFunc(headers, func(name string, _ any) bool { return strings.HasPrefix(name, "x-") })

	ch := channel(t, listen(t, peer.Config{Messages: peer.Idle}))
	declareRetry(t, ch, "orders-retry-100ms", "orders")
	if err := ch.Qos(1, 0, false); err != nil {
		t.Fatal(err)
	}
	deliveries, err := ch.Consume("orders", "", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	before := time.Now()
	publish(t, ch, "orders-retry-100ms", amqp.Publishing{
		Headers: headers, ContentType: want.ContentType, DeliveryMode: want.DeliveryMode, CorrelationId: want.CorrelationId, MessageId: want.MessageId,
		Timestamp: want.Timestamp, Type: want.Type, AppId: want.AppId, Body: want.Body,
	})
	got := next(t, deliveries)
	if waited := time.Since(before); waited < ttl {
		t.Errorf("it has waited for %v, want %v", waited, ttl)
	}
	now := got.Headers["x-death"].([]any)[0].(amqp.Table)
	if at, _ := now["time"].(time.Time); at.Before(before.Truncate(time.Second)) || at.After(time.Now()) {
		t.Errorf("it died at %v", at)
	}
	now["time"] = want.Headers["x-death"].([]any)[0].(amqp.Table)["time"]
	got.Acknowledger, got.ConsumerTag, got.DeliveryTag = nil, "", 0
	want.Timestamp, got.Timestamp = want.Timestamp.UTC(), got.Timestamp.UTC()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestAMessageWithoutHeadersComesBackWithThoseOfTheBroker(t *testing.T) {
	s := listen(t, peer.Config{Messages: peer.Idle})
	ch := channel(t, s)
	declareRetry(t, ch, "work-retry", "work")
	deliveries := consume(t, ch, 10, false)
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<14) // several frames
	for _, p := range []amqp.Publishing{{Body: body}, {ContentType: "a/b", ContentEncoding: "gzip", MessageId: "m"}} {
		publish(t, ch, "work-retry", p)
		d := next(t, deliveries)
		if len(d.Headers) != 7 || d.Headers["x-first-death-queue"] != "work-retry" {
			t.Errorf("headers %v", d.Headers)
		}
		if !bytes.Equal(d.Body, p.Body) || d.ContentType != p.ContentType || d.ContentEncoding != p.ContentEncoding || d.MessageId != p.MessageId {
			t.Errorf("got %+v", d)
		}
	}
}

func TestMessagesThatHaveWaitedAreBehindTheOthersAndTakeCredit(t *testing.T) {
	s := listen(t, peer.Config{Messages: 2})
	ch := channel(t, s)
	declareRetry(t, ch, "work-retry", "work")
	deliveries := consume(t, ch, 1, false)
	one := next(t, deliveries)
	for _, id := range []string{"a", "b"} {
		publish(t, ch, "work-retry", amqp.Publishing{MessageId: id})
	}
	time.Sleep(ttl + 20*time.Millisecond)
	nothing(t, deliveries)
	if err := one.Ack(false); err != nil {
		t.Fatal(err)
	}
	for i, id := range []string{"0193f2a6-7c1e-7a5b-9d40-2f6b8c1e5a77", "a", "b"} {
		d := next(t, deliveries)
		if d.MessageId != id || d.DeliveryTag != uint64(i+2) {
			t.Errorf("message %q with tag %d, want %q with %d", d.MessageId, d.DeliveryTag, id, i+2)
		}
		nothing(t, deliveries)
		if err := d.Ack(false); err != nil {
			t.Fatal(err)
		}
	}
	nothing(t, deliveries)
	want := peer.Counts{Delivered: 4, Expired: 2, Acked: 4, Settlements: 4, Published: 2}
	if got := s.Counts(); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

func TestAMessageMayComeFromAnotherConnection(t *testing.T) {
	s := listen(t, peer.Config{Messages: peer.Idle})
	deliveries := consume(t, channel(t, s), 1, true)
	other := channel(t, s)
	declareRetry(t, other, "work-retry", "work")
	before := time.Now()
	publish(t, other, "work-retry", amqp.Publishing{MessageId: "a"})
	d := next(t, deliveries)
	if waited := time.Since(before); d.MessageId != "a" || waited > 2*time.Second { // a heartbeat would wake the peer too
		t.Errorf("got %+v after %v", d, waited)
	}
}

func TestMessagesToOtherQueuesAreDropped(t *testing.T) {
	s := listen(t, peer.Config{Messages: peer.Idle})
	ch := channel(t, s)
	deliveries := consume(t, ch, 10, false)
	if _, err := ch.QueueDeclarePassive("passive", true, false, false, false, amqp.Table{
		"x-message-ttl": int64(1), "x-dead-letter-routing-key": "work",
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := ch.QueueDeclare("work", true, false, false, false, amqp.Table{"x-dead-letter-routing-key": "work"}); err != nil {
		t.Fatal(err)
	}
	declareRetry(t, ch, "retry", "work")
	for _, queue := range []string{"passive", "work", "nobody"} {
		publish(t, ch, queue, amqp.Publishing{})
	}
	if err := ch.Publish("elsewhere", "retry", true, false, amqp.Publishing{}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(ttl)
	nothing(t, deliveries)
	if got := s.Counts(); got.Published != 4 {
		t.Errorf("counted %+v, want 4 published", got)
	}
}

func TestAMessageThatWaitsCostsThePeerNoAllocation(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	const messages = 1000
	put, take := peer.HandleARetry(t)
	round := func() {
		for range messages {
			put()
		}
		for range messages {
			take()
		}
	}
	round() // the memory for so many
	if got := testing.AllocsPerRun(3, round); got != 0 {
		t.Errorf("%v allocations to keep and deliver %d messages, want 0", got, messages)
	}
}
