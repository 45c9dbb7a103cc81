package peer_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"go.uber.org/goleak"

	"github.com/bunnicula-go/bunnicula/bench/peer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// listen starts a peer. At the end of the test it checks that no client has violated the protocol.
func listen(t testing.TB, cfg peer.Config) *peer.Server {
	t.Helper()
	s, err := peer.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func channel(t testing.TB, s *peer.Server) *amqp.Channel {
	t.Helper()
	ch, err := amqptest.DialURL(t, s.URL()).Channel()
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func consume(t testing.TB, ch *amqp.Channel, prefetch int, autoAck bool) <-chan amqp.Delivery {
	t.Helper()
	if err := ch.Qos(prefetch, 0, false); err != nil {
		t.Fatal(err)
	}
	deliveries, err := ch.Consume("work", "", autoAck, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	return deliveries
}

func next(t testing.TB, deliveries <-chan amqp.Delivery) amqp.Delivery {
	t.Helper()
	select {
	case d, ok := <-deliveries:
		if !ok {
			t.Fatal("the deliveries ended")
		}
		return d
	case <-time.After(5 * time.Second):
		t.Fatal("no delivery within 5 s")
	}
	panic("unreachable")
}

// nothing waits for as long as an unexpected delivery would need.
func nothing(t testing.TB, deliveries <-chan amqp.Delivery) {
	t.Helper()
	select {
	case d, ok := <-deliveries:
		t.Fatalf("delivery %d (open %v), want none", d.DeliveryTag, ok)
	case <-time.After(50 * time.Millisecond):
	}
}

func TestADeliveryIsWhatAPublisherOfOursSends(t *testing.T) {
	body := []byte(`{"id":1}`)
	deliveries := consume(t, channel(t, listen(t, peer.Config{Body: body, Messages: 2})), 10, true)
	for tag := uint64(1); tag <= 2; tag++ {
		d := next(t, deliveries)
		if d.DeliveryTag != tag || !bytes.Equal(d.Body, body) || d.RoutingKey != "work" || d.Exchange != "" || d.Redelivered {
			t.Errorf("got %+v", d)
		}
		if d.ContentType != "application/json" || d.DeliveryMode != amqp.Persistent || len(d.MessageId) != 36 || d.AppId != "bench" || d.Timestamp.IsZero() {
			t.Errorf("properties %+v", d)
		}
	}
	nothing(t, deliveries)
}

func TestABodyOfSeveralFramesArrivesWhole(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<15) // 512 KiB
	d := next(t, consume(t, channel(t, listen(t, peer.Config{Body: body, Messages: 1})), 1, true))
	if !bytes.Equal(d.Body, body) {
		t.Errorf("got %d bytes, or others", len(d.Body))
	}
}

func TestThePrefetchBoundsWhatIsUnacked(t *testing.T) {
	s := listen(t, peer.Config{})
	ch := channel(t, s)
	deliveries := consume(t, ch, 3, false)
	for range 3 {
		next(t, deliveries)
	}
	nothing(t, deliveries)
	if err := ch.Ack(2, false); err != nil { // out of order
		t.Fatal(err)
	}
	if d := next(t, deliveries); d.DeliveryTag != 4 {
		t.Errorf("tag %d, want 4", d.DeliveryTag)
	}
	nothing(t, deliveries)
	if err := ch.Ack(3, true); err != nil { // 1 and 3
		t.Fatal(err)
	}
	next(t, deliveries)
	next(t, deliveries)
	nothing(t, deliveries)
	want := peer.Counts{Delivered: 6, Acked: 3, Settlements: 2}
	if got := s.Counts(); got != want {
		t.Errorf("counted %+v, want %+v", got, want)
	}
}

func TestWhatIsGivenBackComesAgain(t *testing.T) {
	s := listen(t, peer.Config{Messages: 1})
	ch := channel(t, s)
	deliveries := consume(t, ch, 10, false)
	if err := next(t, deliveries).Nack(false, true); err != nil {
		t.Fatal(err)
	}
	if err := next(t, deliveries).Reject(true); err != nil {
		t.Fatal(err)
	}
	if err := next(t, deliveries).Reject(false); err != nil {
		t.Fatal(err)
	}
	nothing(t, deliveries)
	if got := s.Counts(); got.GivenBack != 2 || got.Acked != 1 {
		t.Errorf("counted %+v, want 2 given back and 1 settled", got)
	}
}

func TestAnAckTwiceEndsTheChannel(t *testing.T) {
	ch := channel(t, listen(t, peer.Config{}))
	closed := ch.NotifyClose(make(chan *amqp.Error, 1))
	d := next(t, consume(t, ch, 1, false))
	for range 2 {
		if err := ch.Ack(d.DeliveryTag, false); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-closed:
		if err == nil || err.Code != amqp.PreconditionFailed || !err.Server {
			t.Errorf("closed with %v, want 406 of the server", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("still open")
	}
}

func TestTwoConsumersOfAChannelHaveAPrefetchEach(t *testing.T) {
	ch := channel(t, listen(t, peer.Config{}))
	one := consume(t, ch, 1, false)
	two := consume(t, ch, 2, false)
	tags := []uint64{next(t, one).DeliveryTag, next(t, two).DeliveryTag, next(t, two).DeliveryTag}
	slices.Sort(tags)
	if !slices.Equal(tags, []uint64{1, 2, 3}) {
		t.Errorf("tags %v, want 1 to 3", tags)
	}
	nothing(t, one)
	nothing(t, two)
	if err := ch.Ack(3, true); err != nil {
		t.Fatal(err)
	}
	next(t, one)
	next(t, two)
	next(t, two)
}

func TestNothingComesAfterACancel(t *testing.T) {
	ch := channel(t, listen(t, peer.Config{}))
	if err := ch.Qos(1, 0, false); err != nil {
		t.Fatal(err)
	}
	deliveries, err := ch.Consume("work", "mine", false, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := next(t, deliveries)
	if err := ch.Cancel("mine", false); err != nil {
		t.Fatal(err)
	}
	if err := ch.Ack(d.DeliveryTag, false); err != nil {
		t.Fatal(err)
	}
	if err := ch.Qos(1, 0, false); err != nil { // after its answer no delivery is on its way
		t.Fatal(err)
	}
	if d, open := <-deliveries; open {
		t.Errorf("delivery %d came", d.DeliveryTag)
	}
}

func TestEveryPublishedMessageIsConfirmedInOrder(t *testing.T) {
	s := listen(t, peer.Config{})
	ch := channel(t, s)
	if err := ch.Confirm(false); err != nil {
		t.Fatal(err)
	}
	bodies := [][]byte{nil, []byte("a"), bytes.Repeat([]byte("b"), 300_000)}
	var confirms []*amqp.DeferredConfirmation
	for i := range 300 {
		c, err := ch.PublishWithDeferredConfirm("", "work", true, false, amqp.Publishing{Body: bodies[i%len(bodies)]})
		if err != nil {
			t.Fatal(err)
		}
		confirms = append(confirms, c)
	}
	for i, c := range confirms {
		select {
		case <-c.Done():
		case <-time.After(5 * time.Second):
			t.Fatalf("message %d is not confirmed", i)
		}
		if !c.Acked() {
			t.Fatalf("message %d was not acked", i)
		}
	}
	got := s.Counts()
	if got.Published != 300 {
		t.Errorf("counted %d messages, want 300", got.Published)
	}
	if got.Confirms >= 300 {
		t.Errorf("%d confirms, want fewer than messages: one for many", got.Confirms)
	}
}

func TestWhatAnApplicationDeclaresIsAnswered(t *testing.T) {
	ch := channel(t, listen(t, peer.Config{}))
	steps := map[string]func() error{
		"exchange": func() error { return ch.ExchangeDeclare("e", "topic", true, false, false, false, nil) },
		"declare": func() error {
			q, err := ch.QueueDeclare("q", true, false, false, false, amqp.Table{"x-queue-type": "quorum"})
			if err == nil && q.Name != "q" {
				return errors.New("the queue is named " + q.Name)
			}
			return err
		},
		"passive": func() error { _, err := ch.QueueDeclarePassive("q", true, false, false, false, nil); return err },
		"bind":    func() error { return ch.QueueBind("q", "k", "e", false, nil) },
		"purge":   func() error { _, err := ch.QueuePurge("q", false); return err },
		"get": func() error {
			_, ok, err := ch.Get("q", false)
			if ok {
				return errors.New("there is a message")
			}
			return err
		},
		"delete":          func() error { _, err := ch.QueueDelete("q", false, false, false); return err },
		"exchange delete": func() error { return ch.ExchangeDelete("e", false, false) },
	}
	for name, step := range steps {
		if err := step(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := ch.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func TestAnIdlePeerDeliversNothing(t *testing.T) {
	nothing(t, consume(t, channel(t, listen(t, peer.Config{Messages: peer.Idle})), 10, false))
}

func TestAPeerWithoutAWordBeatsItsHeart(t *testing.T) {
	s := listen(t, peer.Config{Messages: peer.Idle})
	conn, err := amqp.DialConfig(s.URL(), amqp.Config{Heartbeat: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	closed := conn.NotifyClose(make(chan *amqp.Error, 1))
	select {
	case err := <-closed: // the client gives up after three silent heartbeat intervals
		t.Errorf("closed: %v", err)
	case <-time.After(4 * time.Second):
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

func TestAMethodThatIsNotKnownIsRefused(t *testing.T) {
	s, err := peer.Listen(peer.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ch := channel(t, s)
	var refused *amqp.Error
	if err := ch.Tx(); !errors.As(err, &refused) || refused.Code != amqp.NotImplemented {
		t.Errorf("tx.select: %v, want 540", err)
	}
	if err := s.Close(); err == nil {
		t.Error("Close does not tell of it")
	}
}

// The peer must not influence the measurement.
func TestAMessageCostsThePeerNoAllocation(t *testing.T) {
	if testing.Short() {
		t.Skip("-short")
	}
	// The client in this process allocates. So the test counts only the peer's own code, on bytes
	// in memory.
	got := testing.AllocsPerRun(1000, peer.HandleAMessage(t))
	if got != 0 {
		t.Errorf("%v allocations to deliver, be acked, take and confirm a message, want 0", got)
	}
}
