package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// maxBytes is the largest picture that the requester sends.
const maxBytes = 256 << 10

// requester is the app of the one who has pictures.
func requester(o Options, cfg connection.Config, tally *Tally, log *slog.Logger) fx.Option {
	return fx.Options(
		connection.Module, publisher.Module, consumer.Module,
		fx.Supply(o, cfg, log, tally),
		fx.Supply(publisher.Config{Exchange: o.Exchange(), Codec: publisher.Raw, MaxBody: maxBytes}),
		consumer.Provide(Notices),
		fx.StopTimeout(patience),
		fx.NopLogger,
	)
}

// Notices is the consumer of what the requester is told.
func Notices(o Options, tally *Tally) consumer.Spec {
	return consumer.Spec{
		Queue:   o.NoticeQueue(),
		Declare: o.Declare,
		Backoff: backoff,
		Handler: consumer.JSON(func(_ context.Context, msg consumer.Message[Notice]) consumer.Result {
			tally.Notice(msg.CorrelationID)
			return consumer.Ack()
		}),
	}
}

// publish sends all requests. nil of Publish says that the broker has the request in the queue, and
// only such a one counts as published.
func publish(ctx context.Context, o Options, pub publisher.Publisher, all []Request, tally *Tally) error {
	for _, r := range all {
		for range r.copies() {
			err := pub.Publish(ctx, r.Key(), r.Body, publisher.MessageID(r.ID), publisher.ContentType(r.ContentType()),
				publisher.ReplyTo(o.NoticeQueue()), publisher.Header("trouble", r.Trouble))
			switch {
			case errors.Is(err, publisher.ErrTooLarge), errors.Is(err, publisher.ErrUnroutable):
				tally.Refused(r.ID, err) // it is in no queue
			case err != nil:
				return fmt.Errorf("%s: %w", r.ID, err)
			default:
				tally.Published(r.ID)
			}
		}
	}
	return nil
}

func (r Request) copies() int {
	if r.Twice {
		return 2
	}
	return 1
}
