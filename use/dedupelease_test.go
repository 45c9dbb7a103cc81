package use_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/use"
)

func TestAStoreThatDoesNotAnswerHoldsAHandlerByTheRuleOfSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for left, want := range map[time.Duration]time.Duration{time.Minute: 5 * time.Second, 8 * time.Second: 2 * time.Second} {
			began := time.Now()
			r := use.Dedupe(mute{}, time.Hour)(nobody(t))(timeout(t, left), message("m1"))
			if took := time.Since(began); took != want || !r.Snoozed() || !errors.Is(r.Err(), context.DeadlineExceeded) {
				t.Errorf("with %s left the message comes to %v after %s, want %s", left, r, took, want)
			}
		}
	})
}

// mute answers when ctx ends.
type mute struct{}

func (mute) Claim(ctx context.Context, _, _ string, _ time.Duration) (use.Claim, error) {
	<-ctx.Done()
	return use.Claim{}, ctx.Err()
}

func (mute) Settle(ctx context.Context, _, _ string, _ bool, _ time.Duration) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestAMarkThatCannotBeKeptIsAnAckAndALineOfTheLog(t *testing.T) {
	log := captureLog(t)
	s := &faked{settleErr: errAPI}
	r := use.Dedupe(s, time.Hour)(always(consumer.Ack()))(timeout(t, time.Minute), message("m1"))
	if !r.Acked() {
		t.Errorf("the message comes to %v", r)
	}
	const want = `level=WARN msg="claim of a message is not settled" queue=orders message_id=m1 done=true err="the API is down"`
	if !strings.Contains(log.String(), want) {
		t.Errorf("the log is %s, want %s", log, want)
	}
}

func TestACopyThatIsNotHandledIsALineOfTheLog(t *testing.T) {
	log := captureLog(t)
	r := use.Dedupe(&faked{claim: use.Claim{State: use.ClaimDone}}, time.Hour)(nobody(t))(timeout(t, time.Minute), message("m1"))
	if !r.Acked() || !strings.Contains(log.String(), `level=DEBUG msg="message is not handled: another copy was" queue=orders message_id=m1`) {
		t.Errorf("the message comes to %v, and the log is %s", r, log)
	}
}

// captureLog replaces slog.Default until the test ends, so such a test is not parallel.
func captureLog(t *testing.T) *bytes.Buffer {
	var text bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() { slog.SetDefault(before) })
	return &text
}

func TestAClaimIsSettledWhenTheHandlersContextHasEnded(t *testing.T) {
	captureLog(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		var inSettle, deadline = error(nil), time.Time{}
		s := &faked{inSettle: func(ctx context.Context) { inSettle = ctx.Err(); deadline, _ = ctx.Deadline() }}
		h := use.Dedupe(s, time.Hour)(func(ctx context.Context, _ consumer.Delivery) consumer.Result {
			cancel(consumer.ErrStopping)
			return consumer.Retry(context.Cause(ctx))
		})
		if r := h(ctx, message("m1")); !errors.Is(r.Err(), consumer.ErrStopping) || len(s.settlements) != 1 || s.settlements[0] {
			t.Errorf("the message comes to %v, and the claims are settled %v", r, s.settlements)
		}
		if inSettle != nil || time.Until(deadline) != 2*time.Second {
			t.Errorf("the context of Settle has ended (%v), or ends in %s", inSettle, time.Until(deadline))
		}
		began := time.Now()
		use.Dedupe(onlyClaims{}, time.Hour)(always(consumer.Ack()))(timeout(t, time.Minute), message("m1"))
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("a store that does not answer has held it for %s", took)
		}
	})
}

// onlyClaims does not answer a Settle.
type onlyClaims struct{ mute }

func (onlyClaims) Claim(context.Context, string, string, time.Duration) (use.Claim, error) {
	return use.Claim{State: use.ClaimNew}, nil
}

func TestALeaseIsUntilTheDeadlineAndTheGrace(t *testing.T) {
	for name, test := range map[string]struct {
		spec consumer.Spec
		want time.Duration
	}{
		"by default": {consumer.Spec{}, 65 * time.Second},
		"as set":     {consumer.Spec{Timeout: time.Second, Grace: 250 * time.Millisecond}, 1250 * time.Millisecond},
		"no timeout": {consumer.Spec{Timeout: consumer.NoTimeout}, time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &faked{}
			test.spec.Queue, test.spec.Handler = "orders", always(consumer.Ack())
			test.spec.Use = []consumer.Middleware{use.Dedupe(s, time.Hour)}
			c, err := consumer.New(nil, test.spec, nil, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			c.Process(t.Context(), amqp.Delivery{MessageId: "m1", RoutingKey: "orders"})
			if len(s.leases) != 1 || s.leases[0] != test.want || s.keys[0] != "orders:m1" {
				t.Errorf("%s: the leases are %v of %q, want %s", name, s.leases, s.keys, test.want)
			}
		})
	}
	s := &faked{}
	use.Dedupe(s, time.Hour)(always(consumer.Ack()))(timeout(t, time.Minute), message("m1"))
	if d := s.leases[0].Round(time.Second); d != 65*time.Second {
		t.Errorf("without a consumer it is %s", d)
	}
}

func TestALeaseWithoutADeadlineIsRenewedWhileTheHandlerRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		captureLog(t)
		m := mustMemory(t, 10)
		s := &failing{Store: m}
		runs := 0
		h := use.Dedupe(s, time.Hour)(func(context.Context, consumer.Delivery) consumer.Result {
			runs++
			time.Sleep(10 * time.Minute)
			return consumer.Retry(errAPI)
		})
		var handling sync.WaitGroup
		handling.Go(func() { h(t.Context(), message("m1")) })
		for i := range 19 {
			time.Sleep(30 * time.Second)
			s.set(i%3 == 1) // for less than a lease
			if r := h(t.Context(), message("m1")); !r.Snoozed() || s.fails.Load() != (!errors.Is(r.Err(), use.ErrBusy)) {
				t.Errorf("another copy comes to %v", r)
			}
		}
		handling.Wait()
		s.set(false)
		if c, err := m.Claim(t.Context(), "orders:m1", "other", time.Minute); err != nil || c.State != use.ClaimNew || runs != 1 {
			t.Errorf("after %d runs the claim is %+v, %v", runs, c, err)
		}
	})
}
