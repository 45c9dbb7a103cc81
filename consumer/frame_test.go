package consumer

import (
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// smallFrames are frame sizes that brokers may ask for. 4096 is the smallest that AMQP allows.
var smallFrames = []int{4096, 8192, 64 << 10}

// framed decides about a failure of a message whose copy must fit a frame.
func framed(c *Consumer, raw amqp.Delivery, frame int) decide.Settlement {
	e := decide.Ending{Panicked: errors.New(strings.Repeat("boom ", 1000)), Stack: strings.Repeat("at line 1\n", 1000)}
	return decide.After(&c.rules, &decoded(c, raw).facts, e, decide.Given{Now: time.Now(), Fits: wire.Fits(frame)})
}

func TestACopyFitsTheFrameOfItsBroker(t *testing.T) {
	c := quiet(t, spec(nil))
	for _, frame := range smallFrames {
		for size := 0; size < frame-frame/8-600; size += frame / 16 {
			h := amqp.Table{"long": strings.Repeat("x", size), "tenant": "acme"}
			want := maps.Clone(h)
			s := framed(c, delivery(h), frame)
			if s.Deed != decide.DeedCopy || s.Outcome.Action != monitoring.Retried {
				t.Fatalf("frame %d, %d bytes of the user's: %v, %+v", frame, size, s.Deed, s.Outcome)
			}
			if got := wire.PropertiesSize(&s.Copy.Publishing); got > wire.Fits(frame) {
				t.Errorf("frame %d, %d bytes of the user's: the copy has %d bytes, %d fit", frame, size, got, wire.Fits(frame))
			}
			if !reflect.DeepEqual(users(s.Copy.Headers), want) || s.Copy.Headers["retry-attempts"] != int64(1) || s.Copy.Headers["bunnicula-queue"] != "orders" {
				t.Errorf("frame %d, %d bytes of the user's: %v", frame, size, ours(s.Copy.Headers))
			}
		}
	}
}

func TestAMessageThatFillsAnyFrameIsParkedAsItIs(t *testing.T) {
	c := quiet(t, spec(nil))
	for _, frame := range smallFrames {
		raw := delivery(nil)
		bare := wire.Again(&raw, "")
		big := amqp.Table{"long": strings.Repeat("x", wire.Fits(frame)-wire.PropertiesSize(&bare)-4-5-5)}
		s := framed(c, delivery(big), frame)
		if s.Deed != decide.DeedCopy || s.Outcome.Action != monitoring.Parked || s.Copy.To.RoutingKey != "orders-error" {
			t.Fatalf("frame %d: %v, %+v", frame, s.Deed, s.Outcome)
		}
		if got := wire.PropertiesSize(&s.Copy.Publishing); got > wire.Fits(frame) || !reflect.DeepEqual(s.Copy.Headers, big) {
			t.Errorf("frame %d: the copy has %d bytes of %d", frame, got, wire.Fits(frame))
		}
	}
}

// The broker's frame_max was lowered, for example. No copy can be made, and the broker can park the
// message whole.
func TestAMessageThatFitsNoFrameIsRejectedWhereThatIsSafe(t *testing.T) {
	safe, unsafe := quiet(t, spec(nil)), quiet(t, spec(func(s *Spec) { s.QueueType = "classic" }))
	raw := delivery(amqp.Table{"long": strings.Repeat("x", 10_000)})
	s := framed(safe, raw, 8192)
	if s.Deed != decide.DeedReject || s.Outcome.Action != monitoring.Parked || !strings.Contains(s.Outcome.Err.Error(), "frame_max") {
		t.Errorf("%v, %+v, want that it is rejected", s.Deed, s.Outcome)
	}
	if s := framed(unsafe, raw, 8192); s.Deed != decide.DeedCopy {
		t.Errorf("%v: the broker could lose it", s.Deed)
	}
	if s, ok := decide.GiveBack(&safe.rules, &decoded(safe, raw).facts, decide.Given{Now: time.Now(), Fits: wire.Fits(8192)}); ok {
		t.Errorf("given back by a copy, %v", s.Deed)
	}
}

func TestACopyIsShortenedForASmallerFrame(t *testing.T) {
	c := quiet(t, spec(nil))
	h := amqp.Table{"tenant": "acme", "retry-attempts": int64(defaultMaxRetries)}
	one := framed(c, delivery(h), 128<<10).Copy
	if !one.Shorten(wire.Fits(4096)) {
		t.Fatal("it was not shortened")
	}
	if got := wire.PropertiesSize(&one.Publishing); got > wire.Fits(4096) || one.Headers["tenant"] != "acme" || one.Headers["retry-attempts"] != int64(defaultMaxRetries) {
		t.Errorf("%d bytes: %v", got, one.Headers)
	}
	if _, there := one.Headers[wire.Stack]; !there && wire.PropertiesSize(&one.Publishing) < 3000 {
		t.Error("more was cut than had to be")
	}
	fat := framed(c, delivery(amqp.Table{"long": strings.Repeat("x", 5000)}), 128<<10).Copy
	before := len(fat.Headers)
	if fat.Shorten(wire.Fits(4096)) || len(fat.Headers) != before {
		t.Error("the user's headers do not fit, and something was cut all the same")
	}
}
