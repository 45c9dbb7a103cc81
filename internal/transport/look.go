package transport

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/backoff"
)

// ErrUncounted is wrapped by the error of a look at a queue of which the broker cannot say how many
// messages it has.
var ErrUncounted = errors.New("the queue does not tell the broker how many messages it has")

const (
	// So long the broker waits for the leader of a quorum queue. If that does not answer, the
	// broker says that the queue has no messages and no consumers (RabbitMQ 3.10, 4.0 and 4.3).
	leaderWait = 250 * time.Millisecond
	lookFor    = 5 * time.Second
)

// Look returns how many messages a queue has that no consumer holds, and how many consumers. It
// asks again while the broker may only have given up to wait for the queue, for 5 s. do makes a
// request on a channel that has no subscription. A refusal closes the channel.
func Look(ctx context.Context, queue string, do func(request func(Channel) error) error) (amqp.Queue, error) {
	type answer struct {
		queue amqp.Queue
		sure  bool
	}
	for end := time.Now().Add(lookFor); ; {
		answers := make(chan answer, 1) // a request that was given up may still run
		err := do(func(ch Channel) error {
			q, sure, err := LookOnce(ch, queue)
			answers <- answer{q, sure}
			return err
		})
		if err != nil {
			return amqp.Queue{}, err
		}
		if a := <-answers; a.sure {
			return a.queue, nil
		}
		if time.Now().After(end) {
			return amqp.Queue{}, fmt.Errorf("queue %q: %w", queue, ErrUncounted)
		}
		if !backoff.Wait(ctx, 10*time.Millisecond) {
			return amqp.Queue{}, context.Cause(ctx)
		}
	}
}

// LookOnce asks once. The answer is not sure if it may only mean that the broker has given up to
// wait for the queue: it says zero, and took longer than another request does.
func LookOnce(ch Channel, queue string) (q amqp.Queue, sure bool, err error) {
	began := time.Now()
	q, err = ch.QueueDeclarePassive(queue, true, false, false, false, nil)
	took := time.Since(began)
	if err != nil || q.Messages > 0 || q.Consumers > 0 || took < leaderWait {
		return q, err == nil, err
	}
	began = time.Now()
	err = ch.Qos(1, 0, false) // the queue has no part in it
	return q, took < time.Since(began)+leaderWait/2, err
}
