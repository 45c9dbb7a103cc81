package use_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/use"
)

var errPaid = errors.New("paid already")

func TestAnErrorThatIsNoneIsAcknowledged(t *testing.T) {
	wrapped := fmt.Errorf("charge 7: %w", errPaid)
	late := errors.Join(errPaid, context.DeadlineExceeded)
	for name, c := range map[string]struct {
		result consumer.Result
		acked  bool
	}{
		"Retry":                   {consumer.Retry(wrapped), true},
		"RetryAfter":              {consumer.RetryAfter(time.Second, wrapped), true},
		"Error":                   {consumer.Error(wrapped), true},
		"another error":           {consumer.Retry(errDown), false},
		"Timeout":                 {consumer.Timeout(wrapped), false},
		"a context":               {consumer.Retry(late), false},
		"a context, as Error":     {consumer.Error(late), false},
		"Snooze":                  {consumer.SnoozeBecause(time.Second, wrapped), false},
		"a body, as Error":        {consumer.Error(&consumer.DecodeError{Err: errPaid}), false},
		"Retry without an error":  {consumer.Retry(nil), false},
		"Error without an error":  {consumer.Error(nil), false},
		"the zero Result":         {consumer.Result{}, false},
		"Ack":                     {consumer.Ack(), true},
		"a body that is no error": {consumer.Retry(&consumer.DecodeError{Err: errPaid}), true},
	} {
		h := use.TreatAsAck(func(err error) bool {
			if err == nil {
				t.Errorf("%s: it is asked about no error", name)
			}
			return errors.Is(err, errPaid)
		})(func(context.Context, consumer.Delivery) consumer.Result { return c.result })
		if got := h(t.Context(), consumer.Delivery{}); got.Acked() != c.acked {
			t.Errorf("%s: got %v, want an Ack: %t", name, got, c.acked)
		}
	}
}

func TestPanicsTimeoutsAndUndecodableBodiesAreNeverTreatedAsAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := []consumer.Middleware{use.TreatAsAck(func(error) bool { return true })}
		with := func(h consumer.Handler) *consumertest.Queue {
			return consumertest.New(t, consumer.Spec{Queue: "orders", Timeout: time.Second, Use: all, Handler: h})
		}
		with(func(context.Context, consumer.Delivery) consumer.Result { panic(errPaid) }).
			Deliver("x").AssertRetriedFor(monitoring.ReasonPanic, time.Minute)
		with(func(ctx context.Context, _ consumer.Delivery) consumer.Result {
			<-ctx.Done()
			return consumer.Retry(errPaid)
		}).
			Deliver("x").AssertRetriedFor(monitoring.ReasonTimeout, time.Minute)
		with(consumer.JSON(func(context.Context, consumer.Message[int]) consumer.Result { return consumer.Ack() })).
			Deliver("x").AssertParked(monitoring.ReasonUndecodable)
		with(func(ctx context.Context, _ consumer.Delivery) consumer.Result {
			<-ctx.Done()
			return consumer.Error(errPaid)
		}).
			Deliver("x").AssertAcked() // a late Error of its own stands
	})
}

func TestAFunctionThatPanicsAboutAnErrorIsARetry(t *testing.T) {
	q := consumertest.New(t, consumer.Spec{
		Queue: "orders", Use: []consumer.Middleware{use.TreatAsAck(func(error) bool { panic("no idea") })},
		Handler: func(context.Context, consumer.Delivery) consumer.Result { return consumer.Error(errPaid) },
	})
	q.Deliver("x").AssertRetriedFor(monitoring.ReasonPanic, time.Minute)
}
