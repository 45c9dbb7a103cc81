package consumer

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// A message of Process has entered no gate, so it may not leave one.
func TestAStuckHandlerInProcessLeavesTheGateAsItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := spec(func(s *Spec) {
			s.Timeout, s.Grace = time.Second, time.Second
			s.Handler = func(context.Context, Delivery) Result { time.Sleep(time.Hour); return Ack() }
		})
		c := quiet(t, s)
		c.Process(t.Context(), amqp.Delivery{MessageId: "m1"})
		if n := c.pool.gate.inside.Load(); n != 0 {
			t.Errorf("%d are inside", n)
		}
		time.Sleep(2 * time.Hour)
	})
}
