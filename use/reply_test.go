package use_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
	"github.com/bunnicula-go/bunnicula/use"
)

// request is a message that asks for an answer in a queue.
func request(replyTo string, change ...func(*consumer.Delivery)) consumer.Message[asked] {
	m := consumer.Message[asked]{Delivery: message("m1"), Payload: asked{7}}
	m.ReplyTo, m.CorrelationID = replyTo, "c1"
	for _, f := range change {
		f(&m.Delivery)
	}
	return m
}

func squared(_ context.Context, m consumer.Message[asked]) (square, error) {
	return square{m.Payload.Number * m.Payload.Number}, nil
}

// replied has a message handled, and returns what was published.
func replied(t *testing.T, m consumer.Message[asked], opts ...publisher.Option) (consumer.Result, []publishertest.Message) {
	t.Helper()
	pub := &publishertest.Recorder{Config: publisher.Config{Exchange: "the app's own"}}
	return use.Reply(pub, squared, opts...)(t.Context(), m), pub.Messages()
}

func TestAnAnswerIsForTheQueueThatTheRequestNames(t *testing.T) {
	r, sent := replied(t, request("asker"), publisher.Type("square"), publisher.Header("tenant", "acme"), publisher.Exchange("elsewhere"), publisher.MessageID("mine"), publisher.CorrelationID("mine"))
	if !r.Acked() || len(sent) != 1 {
		t.Fatalf("the request comes to %v with %d answers", r, len(sent))
	}
	a := sent[0]
	if a.Exchange != "" || a.RoutingKey != "asker" || a.NotMandatory || a.CorrelationId != "c1" || a.Type != "square" || a.Headers["tenant"] != "acme" || a.ReplyTo != "" || string(a.Body) != `{"Square":49}` {
		t.Errorf("the answer is %+v", a)
	}
	// Wire format: a version that derives another id answers twice what another has answered.
	if a.MessageId != "7909beea-3e70-5d92-95d4-61d65bd97227" {
		t.Errorf("its id is %s", a.MessageId)
	}
}

func TestAnAnswerHasTheSameIDEachTimeAndOfEachRequestAnother(t *testing.T) {
	ids := map[string]string{}
	for name, change := range map[string]func(*consumer.Delivery){
		"m1": func(*consumer.Delivery) {}, "m2": func(d *consumer.Delivery) { d.MessageID = "m2" },
		"another queue": func(d *consumer.Delivery) { d.Queue = "invoices" },
	} {
		_, first := replied(t, request("asker", change))
		_, second := replied(t, request("asker", change, func(d *consumer.Delivery) { d.Attempt, d.CorrelationID = 2, "" }))
		id := first[0].MessageId
		if id != second[0].MessageId || ids[id] != "" {
			t.Errorf("%s: the ids are %s and %s, which %q has too", name, id, second[0].MessageId, ids[id])
		}
		ids[id] = name
	}
}

func TestAnAnswerHasTheCorrelationIDOfItsRequestOrItsMessageID(t *testing.T) {
	for want, change := range map[string]func(*consumer.Delivery){
		"c1": func(*consumer.Delivery) {},
		"m1": func(d *consumer.Delivery) { d.CorrelationID = "" },
		"":   func(d *consumer.Delivery) { d.CorrelationID, d.MessageIDGiven = "", true }, // the asker does not know it
	} {
		if _, sent := replied(t, request("asker", change)); sent[0].CorrelationId != want {
			t.Errorf("the correlation id is %q, want %q", sent[0].CorrelationId, want)
		}
	}
}

func TestOnlyAnAnswerToADirectReplyToIsNotMandatory(t *testing.T) {
	for to, want := range map[string]bool{
		"amq.rabbitmq.reply-to.g1h2": true, "amq.rabbitmq.reply-tone": false, "amq.gen-abc": false, "asker": false,
		"my.amq.rabbitmq.reply-to.x": false,
	} {
		if _, sent := replied(t, request(to)); len(sent) != 1 || sent[0].NotMandatory != want || sent[0].RoutingKey != to {
			t.Errorf("the answer for %s is %+v", to, sent)
		}
	}
}

func TestARequestWithoutReplyToIsHandledAndNotAnswered(t *testing.T) {
	runs := 0
	pub := &publishertest.Recorder{Err: errAPI}
	r := use.Reply(pub, func(context.Context, consumer.Message[asked]) (square, error) { runs++; return square{}, nil })(t.Context(), request(""))
	if !r.Acked() || runs != 1 {
		t.Errorf("it comes to %v in %d runs", r, runs)
	}
}

func TestAReplyToThatCannotBeMeantIsParkedAndNotHandled(t *testing.T) {
	for to, why := range map[string]string{
		"orders":                 "that is a queue of the consumer itself",
		"orders-error":           "that is a queue of the consumer itself",
		"orders-retry-1m":        "that is a queue of the consumer itself",
		"orders-retry":           "that is a queue of the consumer itself",
		"orders-quarantine":      "that is a queue of the consumer itself",
		"amq.rabbitmq.reply-to":  "the broker has not made a direct reply-to of it",
		"a\nb":                   "it is no text that can be shown",
		"\xff":                   "it is no text that can be shown",
		"a\x00":                  "it is no text that can be shown",
		strings.Repeat("x", 256): "it has 256 bytes, AMQP allows 255",
	} {
		pub := &publishertest.Recorder{}
		r := use.Reply(pub, func(context.Context, consumer.Message[asked]) (square, error) {
			t.Errorf("a request for %q is handled", to)
			return square{}, nil
		})(t.Context(), request(to))
		if !r.Errored() || !strings.HasPrefix(r.Err().Error(), "use.Reply: the message is to be answered in \"") || !strings.HasSuffix(r.Err().Error(), why) || len(r.Err().Error()) > 200 {
			t.Errorf("%q comes to %v, want %s", to, r, why)
		}
		if len(pub.Messages()) > 0 {
			t.Errorf("%q is answered", to)
		}
	}
	for _, fine := range []string{"orders-replies", "orderserror", "orders-errors", "Zürich", strings.Repeat("x", 255), "a b"} {
		if r, sent := replied(t, request(fine)); !r.Acked() || len(sent) != 1 {
			t.Errorf("%q comes to %v", fine, r)
		}
	}
}

func TestWhatBecomesOfARequestIsWhatItsErrorSaysAndThereIsNoAnswer(t *testing.T) {
	for _, test := range []struct {
		err  error
		want consumer.Result
	}{
		{errAPI, consumer.Retry(errAPI)},
		{consumer.Permanent(errAPI), consumer.Error(errAPI)},
		{consumer.After(time.Minute, errAPI), consumer.RetryAfter(time.Minute, errAPI)},
		{consumer.SnoozeFor(time.Minute), consumer.Snooze(time.Minute)},
	} {
		pub := &publishertest.Recorder{}
		r := use.Reply(pub, func(context.Context, consumer.Message[asked]) (square, error) { return square{1}, test.err })(t.Context(), request("asker"))
		if !r.Equal(test.want) || len(pub.Messages()) > 0 {
			t.Errorf("%v comes to %v with %d answers, want %v", test.err, r, len(pub.Messages()), test.want)
		}
	}
}

func TestARequestWhoseAnswerIsNotConfirmedIsRetried(t *testing.T) {
	for err, want := range map[error]func(consumer.Result) bool{
		publisher.ErrUnconfirmed:                       consumer.Result.Retried,
		publisher.ErrNacked:                            consumer.Result.Retried,
		publisher.ErrClosed:                            consumer.Result.Retried,
		&publisher.RefusedError{Code: 403}:             consumer.Result.Retried,
		context.DeadlineExceeded:                       consumer.Result.Retried,
		fmt.Errorf("asker: %w", publisher.ErrTooLarge): consumer.Result.Errored,
		publisher.ErrUnroutable:                        consumer.Result.Acked,
	} {
		captureLog(t)
		r := use.Reply(&publishertest.Recorder{Err: err}, squared)(t.Context(), request("asker"))
		if !want(r) {
			t.Errorf("after %v the request comes to %v", err, r)
		}
		if !r.Acked() && (!errors.Is(r.Err(), err) || !strings.HasPrefix(r.Err().Error(), "use.Reply: the work is done, and the answer is not sent: publisher: ")) {
			t.Errorf("the error is %v", r.Err())
		}
	}
	broken := use.Reply(&publishertest.Recorder{}, func(context.Context, consumer.Message[asked]) (func(), error) { return nil, nil })
	if r := broken(t.Context(), request("asker")); !r.Retried() || !strings.Contains(r.Err().Error(), "encode func()") {
		t.Errorf("an answer that cannot be encoded comes to %v", r)
	}
}

func TestAReplyWithoutAPublisherOrAFunctionIsAnErrorOfNew(t *testing.T) {
	var none *publishertest.Recorder
	for name, h := range map[string]func(context.Context, consumer.Message[asked]) consumer.Result{
		"no publisher":  use.Reply(nil, squared),
		"nil publisher": use.Reply(none, squared),
		"no function":   use.Reply[asked, square](&publishertest.Recorder{}, nil),
	} {
		if _, err := consumer.New(nil, consumer.Spec{Queue: "orders", Handler: consumer.JSON(h)}, nil, nil); err == nil || !strings.Contains(err.Error(), "Handler") {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}
