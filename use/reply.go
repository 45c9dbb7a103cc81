package use

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/applog"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Reply makes a function for consumer.JSON or consumer.Decode of one that returns an answer. The
// answer goes to the queue that the message names in its property reply-to, by the default
// exchange, and is confirmed before the message is acked:
//
//	spec.Handler = consumer.JSON(use.Reply(pub, func(ctx context.Context, m consumer.Message[Order]) (Receipt, error) {
//		return api.Charge(ctx, m.Payload)
//	}))
//
// So whoever asks can wait for an answer, or be told that its work is done.
//
//	what happens                               what becomes of the message
//	h returns an answer                        acked, when the answer is confirmed
//	there is no reply-to                       h runs; acked, and the answer is dropped
//	the queue for the answer is gone           acked; the consumer's log has a warning
//	h returns an error                         what consumer.ResultOf says; there is no answer
//	the answer is not confirmed, or refused    retried: h runs again
//	the answer does not fit (ErrTooLarge)      parked
//	reply-to cannot be meant                   parked, and h does not run
//
// The answer has the request's correlation id, or else its message id; but it has none of an id
// that only a consumer has given, which the asker does not know. Its own message id is derived from
// queue and id of the request, so an answer that comes twice has the same one twice. opts add to
// it: publisher.Type, publisher.Header. They change neither the exchange nor the ids.
//
// A reply-to of amq.rabbitmq.reply-to, as RabbitMQ's direct reply-to has it, is answered as a
// message that is not mandatory, because RabbitMQ 3.10 returns a mandatory one to us that the asker
// got all the same. So an answer to an asker that has gone is dropped, and nothing says so. What
// cannot be meant is a name that is no UTF-8, is longer than 255 bytes or has control characters,
// the word amq.rabbitmq.reply-to alone, and the queues of the consumer itself. Whoever may send a
// request can have the answer put into any other queue of the virtual host. Where that matters,
// look at Message.ReplyTo in h.
//
// It does not promise one answer. When the process dies between the confirm and the ack the work is
// done again, and answered again. Dedupe around it makes that rare. Nor does it promise an answer:
// a message that is parked has none, so whoever asks needs a timeout.
//
// A nil pub or h makes nil, which consumer.New refuses.
func Reply[T, R any](pub publisher.Publisher, h func(ctx context.Context, msg consumer.Message[T]) (R, error), opts ...publisher.Option) func(context.Context, consumer.Message[T]) consumer.Result {
	if isNil(pub) || h == nil {
		return nil
	}
	return func(ctx context.Context, msg consumer.Message[T]) consumer.Result {
		to, err := addressOf(msg.Delivery)
		if err != nil {
			return consumer.Error(err)
		}
		answer, err := h(ctx, msg)
		switch {
		case err != nil:
			return consumer.ResultOf(err)
		case to == "":
			return consumer.Ack()
		}
		return replied(ctx, msg.Delivery, pub.Publish(ctx, to, answer, optionsOf(msg.Delivery, to, opts)...))
	}
}

// replied returns what becomes of a message whose answer was published, or not.
func replied(ctx context.Context, d consumer.Delivery, err error) consumer.Result {
	switch {
	case err == nil:
		return consumer.Ack()
	case foreign.Is(err, publisher.ErrUnroutable):
		applog.First(applog.Of(ctx)).WarnContext(ctx, "nobody takes the answer to a message: its queue is gone", "queue", d.Queue,
			"message_id", foreign.Line(d.MessageID, longestKey), "reply_to", foreign.Line(d.ReplyTo, longestKey))
		return consumer.Ack()
	case foreign.Is(err, publisher.ErrTooLarge):
		return consumer.Error(unanswered(err))
	}
	return consumer.Retry(unanswered(err))
}

func unanswered(err error) error {
	return fmt.Errorf("use.Reply: the work is done, and the answer is not sent: %w", foreign.Safe(err))
}

// pseudo is the name that an asker gives as its reply-to. The broker writes a name behind it.
const pseudo = "amq.rabbitmq.reply-to"

func isDirect(to string) bool { return strings.HasPrefix(to, pseudo+".") }

// addressOf returns the queue for the answer, or "". The error says why it cannot be meant.
func addressOf(d consumer.Delivery) (string, error) {
	to := d.ReplyTo
	rest, ours := strings.CutPrefix(to, d.Queue)
	var why string
	switch {
	case to == "":
		return "", nil
	case len(to) > longestKey:
		why = fmt.Sprintf("it has %d bytes, AMQP allows %d", len(to), longestKey)
	case !utf8.ValidString(to) || strings.ContainsFunc(to, unicode.IsControl):
		why = "it is no text that can be shown"
	case to == pseudo:
		why = "the broker has not made a direct reply-to of it"
	case ours && (rest == "" || rest == "-error" || rest == "-quarantine" || strings.HasPrefix(rest, "-retry")):
		why = "that is a queue of the consumer itself"
	default:
		return to, nil
	}
	return "", errors.New("use.Reply: the message is to be answered in " + fmt.Sprintf("%q", foreign.Cut(to, 60)) + ": " + why)
}

// optionsOf returns the options of an answer. The last ones count.
func optionsOf(d consumer.Delivery, to string, opts []publisher.Option) []publisher.Option {
	all := make([]publisher.Option, 0, len(opts)+4)
	all = append(all, opts...)
	all = append(all, publisher.Exchange(""), publisher.MessageID(answerID(d)), publisher.CorrelationID(correlationOf(d)))
	if isDirect(to) {
		all = append(all, publisher.NotMandatory())
	}
	return all
}

func correlationOf(d consumer.Delivery) string {
	if d.CorrelationID == "" && !d.MessageIDGiven {
		return d.MessageID
	}
	return d.CorrelationID
}

// answerSpace is the namespace of the ids of answers. Another one would make other ids of the same
// requests, so it never changes.
var answerSpace = uuid.MustParse("5c2c3d3e-6c5b-4b0e-9a57-0e3b8f8b6d51")

// answerID derives the id of an answer. Consumers of two queues that both have got a request answer
// with different ids.
func answerID(d consumer.Delivery) string {
	key, _ := claimNames(d.Queue, d.MessageID)
	return uuid.NewSHA1(answerSpace, []byte(key)).String()
}
