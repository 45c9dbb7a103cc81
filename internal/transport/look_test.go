package transport_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// asked is a channel of a broker at some distance.
type asked struct {
	transport.Channel

	distance time.Duration
	silent   int // so many requests find a quorum queue that does not answer its broker
	looks    int
}

func (a *asked) QueueDeclarePassive(string, bool, bool, bool, bool, amqp.Table) (amqp.Queue, error) {
	time.Sleep(a.distance)
	if a.looks++; a.looks <= a.silent {
		time.Sleep(250 * time.Millisecond)
		return amqp.Queue{}, nil
	}
	return amqp.Queue{Messages: 7}, nil
}

func (a *asked) Qos(int, int, bool) error {
	time.Sleep(a.distance)
	return nil
}

func TestAQueueThatIsSilentForAMomentIsAskedAgain(t *testing.T) {
	for _, distance := range []time.Duration{0, time.Millisecond, 200 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			ch := &asked{distance: distance, silent: 3}
			q, err := transport.Look(t.Context(), "q", func(f func(transport.Channel) error) error { return f(ch) })
			if err != nil || q.Messages != 7 || ch.looks != 4 {
				t.Errorf("distance %s: %d messages after %d looks, %v", distance, q.Messages, ch.looks, err)
			}
			ch = &asked{distance: distance, silent: 1000}
			if _, err := transport.Look(t.Context(), "q", func(f func(transport.Channel) error) error { return f(ch) }); !errors.Is(err, transport.ErrUncounted) {
				t.Errorf("distance %s: a queue that never answers: %v", distance, err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			ch = &asked{distance: distance, silent: 1000}
			if _, err := transport.Look(ctx, "q", func(f func(transport.Channel) error) error { return f(ch) }); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("distance %s: %v", distance, err)
			}
		})
	}
}

// far is a channel of a distant broker with an empty queue.
type far struct{ asked }

func (f *far) QueueDeclarePassive(string, bool, bool, bool, bool, amqp.Table) (amqp.Queue, error) {
	time.Sleep(f.distance)
	f.looks++
	return amqp.Queue{}, nil
}

func TestAnEmptyQueueFarAwayIsAskedOnce(t *testing.T) {
	for _, distance := range []time.Duration{0, 100 * time.Millisecond, 300 * time.Millisecond, 2 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			ch := &far{asked{distance: distance}}
			q, err := transport.Look(t.Context(), "q", func(f func(transport.Channel) error) error { return f(ch) })
			if err != nil || q.Messages != 0 || ch.looks != 1 {
				t.Errorf("distance %s: %d messages after %d looks, %v", distance, q.Messages, ch.looks, err)
			}
		})
	}
}
