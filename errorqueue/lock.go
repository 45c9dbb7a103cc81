package errorqueue

import (
	"context"
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// Who reads holds everything, so that another who looks at the same time finds the queue empty, or half of it, and cannot know.
// So readers take turns: those of a process by a token, those of a vhost by an exclusive queue, which only one connection can
// have and which goes with it. Who may not declare that one reads without.

// lockName is the exclusive queue beside an error queue.
func lockName(queue string) string {
	const lock = ".reader"
	return queue[:min(len(queue), 255-len(lock))] + lock
}

func (q *Queue) lock(ctx context.Context, session transport.Session) (unlock func(), err error) {
	timer := time.NewTimer(q.cfg.Wait)
	defer timer.Stop()
	select {
	case <-q.turn:
	default:
		select {
		case <-q.turn:
		case <-timer.C:
			return nil, ErrBusy
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	name := lockName(q.name)
	for end := time.Now().Add(q.cfg.Wait); ; {
		err := ask(ctx, session, "lock the queue", func(ch transport.Channel) error {
			_, err := ch.QueueDeclare(name, false, true, true, false, amqp.Table{"x-queue-type": "classic"})
			return err
		})
		if err == nil {
			return func() {
				_ = ask(context.Background(), session, "unlock the queue", func(ch transport.Channel) error {
					_, err := ch.QueueDelete(name, false, false, false)
					return err
				})
				q.turn <- struct{}{}
			}, nil
		}
		if errors.Is(err, errNotAllowed) {
			return func() { q.turn <- struct{}{} }, nil
		}
		if !errors.Is(err, errLocked) || time.Now().After(end) || !backoff.Wait(ctx, 100*time.Millisecond) {
			q.turn <- struct{}{}
			if errors.Is(err, errLocked) && ctx.Err() == nil {
				err = ErrBusy
			}
			return nil, err
		}
	}
}
