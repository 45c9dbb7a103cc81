package publisher_test

import (
	"errors"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// A quorum queue of RabbitMQ 3.10 that has nacked a message of a channel nacks all later ones of
// that channel too, even when its limit is gone.
func TestAQueueWhoseLimitWasLiftedTakesMessagesAgainWhileOthersGoOn(t *testing.T) {
	t.Parallel()
	full, other := queue(t, quorum), queue(t, quorum)
	amqptest.Ctl(t, "set_policy", "--apply-to", "queues", full, "^"+full+"$", `{"max-length":2,"overflow":"reject-publish"}`)
	lifted := false
	lift := func() {
		if !lifted {
			amqptest.Ctl(t, "clear_policy", full)
			lifted = true
		}
	}
	t.Cleanup(lift)
	pub := client(t, connect(t, connection.Config{}), publisher.Config{})
	amqptest.Eventually(t, 20*time.Second, func() bool {
		return errors.Is(pub.Publish(soon(t), full, 1), publisher.ErrNacked)
	}, "the queue is not full")
	lift()
	slowest := time.Duration(0)
	amqptest.Eventually(t, 20*time.Second, func() bool {
		began := time.Now()
		if err := pub.Publish(soon(t), other, 1); err != nil {
			t.Errorf("to another queue: %v", err)
		}
		slowest = max(slowest, time.Since(began))
		return pub.Publish(soon(t), full, 1) == nil
	}, "the queue's limit was lifted, and it takes nothing")
	t.Logf("the slowest to another queue took %s", slowest.Round(time.Millisecond))
	if slowest > 5*time.Second {
		t.Errorf("a publish to another queue took %s", slowest)
	}
}
