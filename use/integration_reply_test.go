package use_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/use"
)

// asked is a request, and square what comes for it.
type asked struct{ Number int }

type square struct{ Square int }

// squares is a consumer that answers, and whose own error queue and retry queue are the test's.
func squares(a *accounts) consumer.Spec {
	return consumer.Spec{
		Queue: a.queue, MaxRetries: consumer.NoRetries,
		Handler: consumer.JSON(use.Reply(a.pub, func(_ context.Context, m consumer.Message[asked]) (square, error) {
			if m.Payload.Number < 0 {
				return square{}, consumer.Permanent(errors.New("a number below 0"))
			}
			return square{m.Payload.Number * m.Payload.Number}, nil
		}, publisher.Type("square"))),
	}
}

// ask publishes a request on an asker's channel.
func ask(t *testing.T, ch *amqp.Channel, queue, id, replyTo, body string) {
	t.Helper()
	if err := ch.Publish("", queue, true, false, amqp.Publishing{MessageId: id, CorrelationId: "c-" + id, ReplyTo: replyTo, Body: []byte(body)}); err != nil {
		t.Fatal(err)
	}
}

// answers consumes a queue, or the pseudo queue of direct replies, without acks.
func answers(t *testing.T, ch *amqp.Channel, queue string) <-chan amqp.Delivery {
	t.Helper()
	got, err := ch.Consume(queue, "", true, false, false, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestAnAskerGetsTheAnswerAlsoInItsDirectReplyTo(t *testing.T) {
	t.Parallel()
	a := newAccounts(t, "reply")
	spec := squares(a)
	a.declare(spec)
	a.start(spec)
	ch := amqptest.Channel(t)
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, replyTo := range []string{q.Name, "amq.rabbitmq.reply-to"} {
		got := answers(t, ch, replyTo)
		ask(t, ch, a.queue, "m-"+replyTo, replyTo, `{"Number": 7}`)
		select {
		case d := <-got:
			if string(d.Body) != `{"Square":49}` || d.CorrelationId != "c-m-"+replyTo || d.Type != "square" || len(d.MessageId) != 36 || d.ReplyTo != "" {
				t.Errorf("the answer in %s is %+v", replyTo, d)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("there is no answer in %s", replyTo)
		}
	}
	a.ends(2, monitoring.Acked)
}

// ends waits until so many messages have ended, all of them in the same way.
func (a *accounts) ends(n int, want monitoring.Action) []monitoring.Outcome {
	a.t.Helper()
	amqptest.Eventually(a.t, 10*time.Second, func() bool { return len(a.ended.Outcomes()) == n }, "fewer than %d messages have ended", n)
	all := a.ended.Outcomes()
	for _, o := range all {
		if o.Action != want {
			a.t.Errorf("a message was %v: %v, want %v", o.Action, o.Err, want)
		}
	}
	return all
}

func TestAMessageIsAckedWhoseAskerHasGone(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	a := newAccounts(t, "gone")
	spec := squares(a)
	a.declare(spec)
	conn := amqptest.Dial(t)
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	answers(t, ch, "amq.rabbitmq.reply-to")
	ask(t, ch, a.queue, "m1", q.Name, `{"Number": 7}`)
	ask(t, ch, a.queue, "m2", "amq.rabbitmq.reply-to", `{"Number": 7}`)
	ask(t, ch, a.queue, "m3", "amq.rabbitmq.reply-to.nonsense", `{"Number": 7}`)
	amqptest.Eventually(t, 5*time.Second, func() bool { return amqptest.Depth(t, a.queue) == 3 }, "the requests are not there")
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	amqptest.Eventually(t, 5*time.Second, func() bool { return !amqptest.Exists(t, q.Name) }, "the asker's queue is still there")
	a.startWith(spec, slog.New(slog.NewTextHandler(&log, nil)))
	a.ends(3, monitoring.Acked)
	text := log.String()
	if n := strings.Count(text, `msg="nobody takes the answer to a message: its queue is gone" queue=`+a.queue+` message_id=m1 reply_to=`+q.Name); n != 1 {
		t.Errorf("the log has it %d times:\n%s", n, text)
	}
	if strings.Contains(text, "message_id=m2") || strings.Contains(text, "message_id=m3") {
		t.Errorf("the log knows of an answer that was dropped:\n%s", text)
	}
}

// lockedBuffer is a log that can be read while others write to it.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestARequestThatFailsHasNoAnswer(t *testing.T) {
	t.Parallel()
	a := newAccounts(t, "failed")
	spec := squares(a)
	a.declare(spec)
	ch := amqptest.Channel(t)
	q, err := ch.QueueDeclare("", false, true, true, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	ask(t, ch, a.queue, "m1", q.Name, `{"Number": -7}`)
	ask(t, ch, a.queue, "m2", a.queue+"-error", `{"Number": 7}`)
	a.start(spec)
	a.ends(2, monitoring.Parked)
	if n := amqptest.Depth(t, q.Name); n != 0 {
		t.Errorf("there are %d answers", n)
	}
	if n := amqptest.Depth(t, a.queue+"-error"); n != 2 {
		t.Errorf("%d messages are in the error queue, want 2", n)
	}
}
