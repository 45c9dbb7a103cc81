package errorqueue

import (
	"context"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
)

// A reader holds the queue's messages. A second reader would find the queue empty, or half empty,
// and could not know why. So readers take turns. Those of one Queue share a token. Those of one
// vhost share an exclusive queue, which only one connection can have and which the broker deletes
// with that connection. A user who may not declare that queue reads without it.

// lockName is the name of the exclusive queue beside an error queue.
func lockName(queue string) string {
	const suffix = ".reader"
	return queue[:min(len(queue), 255-len(suffix))] + suffix
}

// lock waits for the token and the exclusive queue, each for at most Config.Wait.
func (q *Queue) lock(ctx context.Context, s session) (unlock func(), err error) {
	if err := q.takeTurn(ctx); err != nil {
		return nil, err
	}
	name := lockName(q.name)
	for end := time.Now().Add(q.cfg.Wait); ; {
		err := ask(ctx, s, "lock the queue", func(ch channel) error {
			_, err := ch.QueueDeclare(name, false, true, true, false, amqp.Table{"x-queue-type": "classic"})
			return err
		})
		switch {
		case err == nil:
			return func() {
				_ = ask(context.Background(), s, "unlock the queue", func(ch channel) error {
					_, err := ch.QueueDelete(name, false, false, false)
					return err
				})
				q.turn <- struct{}{}
			}, nil
		case errors.Is(err, errNotAllowed):
			return func() { q.turn <- struct{}{} }, nil
		case errors.Is(err, errLocked) && !time.Now().After(end) && backoff.Wait(ctx, 100*time.Millisecond):
			continue
		case errors.Is(err, errLocked) && ctx.Err() == nil:
			err = ErrBusy
		}
		q.turn <- struct{}{}
		return nil, err
	}
}

// takeTurn takes the token.
func (q *Queue) takeTurn(ctx context.Context) error {
	select {
	case <-q.turn:
		return nil
	default:
	}
	timer := time.NewTimer(q.cfg.Wait)
	defer timer.Stop()
	select {
	case <-q.turn:
		return nil
	case <-timer.C:
		return ErrBusy
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
