package consumer_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Who deletes a queue deletes exchanges with it, if they delete themselves. A copy finds neither
// then: it is returned, or its channel is closed over it (404).
func TestACopyBringsBackTheQueueOrExchangeThatIsGone(t *testing.T) {
	for name, row := range map[string]struct {
		scheme topology.Scheme
		result consumer.Result
		gone   func(t *testing.T, queue string) error
	}{
		"standard retry":  {topology.Standard, consumer.Retry(errors.New("no")), deleteQueue("-retry-1s")},
		"standard error":  {topology.Standard, consumer.Error(errors.New("no")), deleteQueue("-error")},
		"bunnicula retry": {topology.Bunnicula, consumer.Retry(errors.New("no")), deleteQueue("-retry")},
		"bunnicula error": {topology.Bunnicula, consumer.Error(errors.New("no")), deleteExchange("-error")},

		"bunnicula retry, its exchange only": {topology.Bunnicula, consumer.Retry(errors.New("no")), deleteExchange("-retry")},
		"bunnicula error, its queue":         {topology.Bunnicula, consumer.Error(errors.New("no")), deleteQueue("-error")},
		"bunnicula error, its binding only":  {topology.Bunnicula, consumer.Error(errors.New("no")), unbind("-error")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			queue := amqptest.Queue(t, "gone")
			var runs atomic.Int64
			c := r.start(consumer.Spec{
				Queue: queue, Scheme: row.scheme, Backoff: []time.Duration{time.Second},
				Handler: func(context.Context, consumer.Delivery) consumer.Result {
					if runs.Add(1) > 1 {
						return consumer.Ack()
					}
					return row.result
				},
			})
			if err := row.gone(t, queue); err != nil {
				t.Fatal(err)
			}
			r.publish(queue, "x")
			r.outcomes(1)
			if row.result.Equal(consumer.Retry(errors.New("no"))) {
				r.outcomes(2) // and it came back from there
			} else {
				depths(t, map[string]int{queue + "-error": 1})
			}
			if h := c.Health(); h.CopiesBlocked != 0 || !h.Ready {
				t.Errorf("health is %+v", h)
			}
			depths(t, map[string]int{queue: 0})
		})
	}
}

func deleteQueue(suffix string) func(*testing.T, string) error {
	return func(t *testing.T, queue string) error {
		_, err := amqptest.Channel(t).QueueDelete(queue+suffix, false, false, false)
		return err
	}
}

func deleteExchange(suffix string) func(*testing.T, string) error {
	return func(t *testing.T, queue string) error {
		return amqptest.Channel(t).ExchangeDelete(queue+suffix, false, false)
	}
}

func unbind(suffix string) func(*testing.T, string) error {
	return func(t *testing.T, queue string) error {
		return amqptest.Channel(t).QueueUnbind(queue+suffix, "#", queue+suffix, nil)
	}
}
