package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/consumer/consumertest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

// bank is one that a test tells what to answer.
type bank func(number int) error

func (b bank) Charge(_ context.Context, number int) error { return b(number) }

func TestAnOrderThatIsChargedHasItsEmailSent(t *testing.T) {
	var pub publishertest.Recorder
	h := Charging{bank(func(int) error { return nil }), &pub, "emails"}

	result := h.Handle(t.Context(), consumer.Message[Order]{Payload: Order{7, "a@example.com"}})

	if sent := pub.Sent("emails"); !result.Acked() || len(sent) != 1 || sent[0].Payload != (Order{7, "a@example.com"}) {
		t.Errorf("acked is %v, sent: %v", result.Acked(), sent)
	}
}

func TestWhatBecomesOfAnOrder(t *testing.T) {
	busy := errors.New("the bank is busy")
	spec := Orders(Settings{"shop", time.Minute}, bank(func(int) error { return busy }), new(publishertest.Recorder))
	q := consumertest.New(t, spec)

	q.Deliver(Order{7, "a@example.com"}).AssertRetried(time.Minute).AssertError(busy)
	q.Deliver(Order{7, "a@example.com"}, consumertest.Attempt(4)).AssertParked(monitoring.ReasonRetriesExhausted)
	q.Deliver(Order{7, ""}).AssertParked(monitoring.ReasonError)
	q.Deliver([]byte("not JSON")).AssertParked(monitoring.ReasonUndecodable)
}
