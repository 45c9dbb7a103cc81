package publisher_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func TestAPublishThatClosesTheChannelFailsAlone(t *testing.T) {
	for name, bad := range map[string]struct {
		code int
		env  sending.Envelope
	}{
		"404, which names the exchange": {amqp.NotFound, sending.Envelope{Exchange: "no-such-exchange"}},
		"406, which names nobody":       {amqp.PreconditionFailed, sending.Envelope{Publishing: amqp.Publishing{UserId: "somebody-else"}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := sender(t, connect(t, connection.Config{}))
			q := queue(t, quorum)
			var want []string
			for round := range 5 {
				start := make(chan struct{})
				var all sync.WaitGroup
				for i := range 64 {
					env := sending.Envelope{RoutingKey: q}
					if i == 17+round {
						env = bad.env
						env.RoutingKey = q
					} else {
						want = append(want, id(round*64+i))
					}
					env.MessageId = id(round*64 + i)
					all.Go(func() {
						<-start
						err := s.Send(soon(t), env)
						if i != 17+round {
							if err != nil {
								t.Errorf("neighbour %d: %v", i, err)
							}
							return
						}
						refused(t, err, bad.code, nil, "")
					})
				}
				close(start)
				all.Wait()
			}
			account(t, q, want)
		})
	}
}

func TestOfTwoMessagesWithOneIDTheReturnedOneFails(t *testing.T) {
	pub := client(t, connect(t, connection.Config{}), publisher.Config{})
	q := queue(t, quorum)
	const rounds = 50
	for i := range rounds {
		keys := []string{q, "no-such-queue"}
		if i%2 == 1 {
			keys[0], keys[1] = keys[1], keys[0]
		}
		var sent []publisher.Confirmation
		for _, key := range keys {
			c, err := pub.PublishAsync(soon(t), key, "same", publisher.MessageID("same"))
			if err != nil {
				t.Fatal(err)
			}
			sent = append(sent, c)
		}
		for j, c := range sent {
			<-c.Done()
			if keys[j] == q && c.Err() != nil {
				t.Errorf("the routed one: %v", c.Err())
			}
			if keys[j] != q && !errors.Is(c.Err(), publisher.ErrUnroutable) {
				t.Errorf("the returned one: %v", c.Err())
			}
		}
	}
	if n := amqptest.Depth(t, q); n != rounds {
		t.Errorf("%d messages in the queue, want %d", n, rounds)
	}
}

func TestAReturnIsNotTakenByAnEqualMessageThatIsNotMandatory(t *testing.T) {
	pub := client(t, connect(t, connection.Config{}), publisher.Config{})
	for range 20 {
		same := publisher.MessageID("same")
		drop, err := pub.PublishAsync(soon(t), "no-such-queue", 1, same, publisher.NotMandatory())
		if err != nil {
			t.Fatal(err)
		}
		keep, err := pub.PublishAsync(soon(t), "no-such-queue", 1, same)
		if err != nil {
			t.Fatal(err)
		}
		<-drop.Done()
		<-keep.Done()
		if drop.Err() != nil || !errors.Is(keep.Err(), publisher.ErrUnroutable) {
			t.Fatalf("not mandatory: %v; mandatory: %v", drop.Err(), keep.Err())
		}
	}
}

func TestABatchReportsJustTheOneThatIsUnroutable(t *testing.T) {
	q := queue(t, quorum)
	// The window is smaller than the batch.
	pub := client(t, connect(t, connection.Config{}), publisher.Config{Window: 8})
	var messages []publisher.Message
	var want []string
	for i := range 50 {
		m := publisher.Message{RoutingKey: q, Payload: i, Options: []publisher.Option{publisher.MessageID(id(i))}}
		if i == 23 {
			m.RoutingKey = "no-such-queue"
		} else {
			want = append(want, id(i))
		}
		messages = append(messages, m)
	}
	err := pub.PublishBatch(soon(t), messages...)
	var batch *publisher.BatchError
	if !errors.As(err, &batch) || batch.Of != 50 || len(batch.Errs) != 1 || !errors.Is(batch.Errs[23], publisher.ErrUnroutable) {
		t.Fatalf("got %v", err)
	}
	if !errors.Is(err, publisher.ErrUnroutable) {
		t.Error("errors.Is does not see it through the BatchError")
	}
	account(t, q, want)
}

func TestABatchWithBadInputSendsNothing(t *testing.T) {
	q := queue(t, quorum)
	pub := client(t, connect(t, connection.Config{}), publisher.Config{})
	err := pub.PublishBatch(soon(t), publisher.Message{RoutingKey: q, Payload: 1}, publisher.Message{RoutingKey: q, Payload: make(chan int)})
	var batch *publisher.BatchError
	if !errors.As(err, &batch) || len(batch.Errs) != 2 || !errors.Is(batch.Errs[0], publisher.ErrNotSent) || errors.Is(batch.Errs[1], publisher.ErrNotSent) ||
		!strings.Contains(err.Error(), "2 of 2 messages failed; index 1: ") {
		t.Errorf("got %v", err)
	}
	if err := pub.PublishBatch(soon(t)); err != nil {
		t.Errorf("an empty batch: %v", err)
	}
	if n := amqptest.Depth(t, q); n != 0 {
		t.Errorf("%d messages in the queue, want 0", n)
	}
}

func TestMessagesOfOneGoroutineKeepTheirOrder(t *testing.T) {
	q := queue(t, quorum)
	pub := client(t, connect(t, connection.Config{}), publisher.Config{Window: 64})
	var sent []publisher.Confirmation
	for i := range 500 {
		c, err := pub.PublishAsync(soon(t), q, i)
		if err != nil {
			t.Fatal(err)
		}
		sent = append(sent, c)
	}
	for i, c := range sent {
		<-c.Done()
		if c.Err() != nil {
			t.Fatalf("%d: %v", i, c.Err())
		}
	}
	for i, d := range amqptest.Drain(t, q) {
		if string(d.Body) != fmt.Sprint(i) || d.MessageId != sent[i].MessageID() {
			t.Fatalf("number %d is %s", i, d.Body)
		}
	}
}
