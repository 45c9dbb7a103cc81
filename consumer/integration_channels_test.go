package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Each consumer has a channel to consume and one to publish copies, and the publisher has one.
func TestMoreConsumersThanChannelsOnAConnectionAllWork(t *testing.T) {
	t.Parallel()
	b := amqptest.StartBroker(t, amqptest.Setting{Name: "channel_max", Value: "10"})
	r := newRigAt(t, b.URL)
	const consumers = 13
	var handled [consumers]atomic.Int32
	var all []*consumer.Consumer
	for i := range consumers {
		all = append(all, r.start(consumer.Spec{
			Queue: fmt.Sprintf("orders-%d", i), Backoff: []time.Duration{10 * time.Millisecond},
			Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
				if handled[i].Add(1); d.Attempt == 1 {
					return consumer.Retry(errors.New("once more"))
				}
				return consumer.Ack()
			},
		}))
	}
	for i := range consumers {
		r.publish(fmt.Sprintf("orders-%d", i), "x")
	}
	r.outcomes(2 * consumers)
	for i, c := range all {
		if h := c.Health(); !h.Ready || h.CopiesBlocked != 0 || handled[i].Load() != 2 {
			t.Errorf("%d: handled %d times, %+v", i, handled[i].Load(), h)
		}
	}
	if h := r.conn.Health(); h.Publishing.Lost != 0 || h.Consuming.Lost != 0 {
		t.Errorf("connections were lost: %+v", h)
	}
}

// The connections of a session live and die together, and come back together.
func TestConsumersOnSeveralConnectionsComeBackAfterALoss(t *testing.T) {
	amqptest.Long(t)
	b := amqptest.StartBroker(t, amqptest.Setting{Name: "channel_max", Value: "3"})
	r := newRigAt(t, b.URL)
	var all []*consumer.Consumer
	for i := range 7 {
		all = append(all, r.start(consumer.Spec{
			Queue: fmt.Sprintf("orders-%d", i), Handler: always(consumer.Ack()), Backoff: []time.Duration{10 * time.Millisecond},
		}))
	}
	b.CloseConnections("for the test")
	for _, c := range all {
		amqptest.Eventually(t, 20*time.Second, func() bool { return c.Health().Ready }, "%s does not come back: %v", c.Name(), c.Health().Err)
	}
	for i := range all {
		r.publish(fmt.Sprintf("orders-%d", i), "x")
	}
	r.outcomes(len(all))
}

func TestALimitOfConnectionsIsNamedAndMayPass(t *testing.T) {
	amqptest.Long(t)
	b := amqptest.StartBroker(t)
	b.Ctl("set_user_limits", "bunnicula", `{"max-connections": 0}`)
	r := newRigAt(t, b.URL)
	c := r.make(consumer.Spec{Queue: "orders", Handler: always(consumer.Ack()), Backoff: []time.Duration{10 * time.Millisecond}})
	started := make(chan error, 1)
	go func() { started <- c.Start(r.ctx) }()
	amqptest.Eventually(t, 20*time.Second, func() bool {
		h := c.Health()
		return h.Err != nil && strings.Contains(h.Err.Error(), "user connection limit (0) is reached")
	}, "the limit is not named: %v", c.Health().Err)
	b.Ctl("clear_user_limits", "bunnicula", "max-connections")
	if err := <-started; err != nil {
		t.Errorf("the limit is gone, and the consumer does not start: %v", err)
	}
}

// The broker closes the whole connection for the channel that is one too many.
func TestALimitOfChannelsIsNamedAndOthersWorkOn(t *testing.T) {
	amqptest.Long(t)
	b := amqptest.StartBroker(t)
	r := newRigAt(t, b.URL)
	r.publish("orders-0-error", "x", publisher.NotMandatory()) // so that the publisher has its channel
	b.Ctl("set_user_limits", "bunnicula", `{"max-channels": 6}`)
	var all []*consumer.Consumer
	named := 0
	for i := range 9 {
		c := r.make(consumer.Spec{
			Queue: fmt.Sprintf("orders-%d", i), Handler: always(consumer.Ack()), Backoff: []time.Duration{10 * time.Millisecond},
		})
		ctx, cancel := context.WithTimeout(r.ctx, 20*time.Second)
		err := c.Start(ctx)
		cancel()
		switch {
		case err == nil:
			all = append(all, c)
		case strings.Contains(err.Error(), "no more channels") && strings.Contains(err.Error(), "orders-"):
			named++
		default:
			t.Errorf("%d: %v, want an error that names the limit", i, err)
		}
	}
	if len(all) == 0 || named == 0 {
		t.Fatalf("%d consumers have started, and %d were told of the limit", len(all), named)
	}
	ready := func() (n int) {
		for _, c := range all {
			if c.Health().Ready {
				n++
			}
		}
		return n
	}
	amqptest.Eventually(t, 30*time.Second, func() bool { return ready() >= 1 }, "only %d of %d consumers are ready", ready(), len(all))
	lost := r.conn.Health().Consuming.Lost
	time.Sleep(5 * time.Second)
	if now := r.conn.Health().Consuming.Lost; now != lost || lost > 3 {
		t.Errorf("the connection was lost %d times, and then %d times more", lost, now-lost)
	}
	if n := ready(); n < 1 {
		t.Errorf("%d of %d are ready", n, len(all))
	}
}

func TestAPublishSaysThatThereIsNoChannel(t *testing.T) {
	amqptest.Long(t)
	b := amqptest.StartBroker(t)
	r := newRigAt(t, b.URL)
	b.Ctl("set_user_limits", "bunnicula", `{"max-channels": 0}`)
	ctx, cancel := context.WithTimeout(r.ctx, 4*time.Second)
	defer cancel()
	err := r.pub.Publish(ctx, "orders", []byte("x"))
	if err == nil || !strings.Contains(err.Error(), "no more channels") {
		t.Errorf("got %v, want that the limit is named", err)
	}
}
