package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// deep panics with a long stack.
func deep(n int, text string) int {
	if n == 0 {
		panic(text)
	}
	return deep(n-1, text) + 1
}

// A broker closes the connection (501) over headers that are larger than its frame_max.
func TestWithSmallFramesNothingIsHeldAndNoConnectionIsLost(t *testing.T) {
	amqptest.Long(t)
	for _, frame := range []int{4096, 8192} {
		if frame == 4096 && (testing.Short() || amqptest.AtLeast(t, 4, 1)) {
			continue // with less than 8192 no client can log in from RabbitMQ 4.1 on
		}
		t.Run(fmt.Sprint(frame), func(t *testing.T) { withSmallFrames(t, frame) })
	}
}

func withSmallFrames(t *testing.T, frame int) {
	b := amqptest.StartBroker(t, amqptest.Setting{Name: "frame_max", Value: fmt.Sprint(frame)})
	r := newRigAt(t, b.URL)
	panics := func(context.Context, consumer.Delivery) consumer.Result {
		deep(60, strings.Repeat("upstream said no; ", 200))
		return consumer.Ack()
	}
	c := r.start(consumer.Spec{Queue: "orders", Handler: panics, MaxRetries: 2, Backoff: []time.Duration{20 * time.Millisecond}})

	fits := wire.Fits(frame)
	r.publish("orders", "plain", publisher.MessageID("plain"))
	r.publish("orders", "half", publisher.MessageID("half"), publisher.Header("long", strings.Repeat("x", fits/2)))
	r.publish("orders", "full", publisher.MessageID("full"), publisher.Header("long", strings.Repeat("x", fits-120)))
	err := r.pub.Publish(r.ctx, "orders", []byte("too much"), publisher.Header("long", strings.Repeat("x", fits)))
	if !errors.Is(err, publisher.ErrTooLarge) || !strings.Contains(err.Error(), fmt.Sprintf("at most %d fit a frame of this broker (frame_max = %d)", fits, frame)) {
		t.Errorf("got %v, want that it is too large", err)
	}

	parked := map[monitoring.Action]int{}
	for _, o := range r.outcomes(3 + 3 + 1) { // two are tried three times, and what fills the frame once
		parked[o.Action]++
	}
	if parked[monitoring.Parked] != 3 {
		t.Errorf("outcomes %v, want three parked", parked)
	}
	if h := c.Health(); h.CopiesBlocked != 0 || !h.Ready {
		t.Errorf("%+v", h)
	}

	q, err := errorqueue.Open(r.ctx, r.conn, errorqueue.Config{Queue: "orders"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close(r.ctx)
	for m, err := range q.List(r.ctx, errorqueue.ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]int{"plain": 0, "half": fits / 2, "full": fits - 120}[m.ID]
		if long, _ := m.Headers["long"].(string); len(long) != want {
			t.Errorf("%s: %d bytes of the user's header are left, want %d", m.ID, len(long), want)
		}
		if m.ID != "full" && m.Reason != "panic" {
			t.Errorf("%s: reason %q", m.ID, m.Reason)
		}
	}
	report, err := q.Redrive(r.ctx, errorqueue.RedriveOptions{All: true})
	if err != nil || report.Moved != 3 || report.Failed != 0 {
		t.Errorf("redriven: %+v, %v", report, err)
	}
	r.outcomes(2 * (3 + 3 + 1))

	if h := r.conn.Health(); h.Publishing.Lost != 0 || h.Consuming.Lost != 0 {
		t.Errorf("connections were lost: %+v", h)
	}
}

// Its headers came in a larger frame, and no copy of it can be made. The broker parks it whole.
func TestWhatIsLargerThanTheFramesOfTodayIsParkedWhole(t *testing.T) {
	t.Parallel()
	b := amqptest.StartBroker(t)
	large := newRigAt(t, b.URL)
	handler := always(consumer.Retry(errors.New("no")))
	spec := consumer.Spec{Queue: "orders", Handler: handler, Backoff: []time.Duration{20 * time.Millisecond}}
	large.stop(large.start(spec))
	long := strings.Repeat("x", 10_000)
	large.publish("orders", "large", publisher.Header("long", long))
	b.Set("frame_max", "8192") // of connections from now on
	r := newRigAt(t, b.URL)
	c := r.start(spec)
	if o := r.outcomes(1)[0]; o.Action != monitoring.Parked || !strings.Contains(o.Err.Error(), "frame_max") {
		t.Errorf("got %+v", o)
	}
	r.publish("orders", "small")
	r.outcomes(2)
	b.Set("frame_max", "131072") // the test's own client takes no larger frames than negotiated
	conn := amqptest.DialURL(t, b.URL)
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	var d amqp.Delivery
	amqptest.Eventually(t, 10*time.Second, func() bool {
		got, ok, err := ch.Get("orders-error", true)
		if err != nil { // its headers do not fit a frame of this client
			t.Fatal(err)
		}
		d = got
		return ok
	}, "nothing is parked")
	if d.Headers["long"] != long {
		t.Errorf("parked without its header: %d", len(d.Headers))
	}
	if h := r.conn.Health(); h.Publishing.Lost != 0 || h.Consuming.Lost != 0 || c.Health().CopiesBlocked != 0 {
		t.Errorf("%+v, %+v", h, c.Health())
	}
}
