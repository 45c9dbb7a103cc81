package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
)

// suspect publishes a message that comes back twice, as if two processes had died over it.
func suspect(t *testing.T, queue, body string) {
	t.Helper()
	amqptest.Publish(t, "", queue, amqp.Publishing{Body: []byte(body)})
	for range 2 {
		amqptest.Fail(t, queue)
	}
}

// busyBefore starts a consumer that runs the messages "a" and "b", and pauses it, so that a suspect
// is in its queue when it goes on. Its handlers say what they have started, and wait for their
// release.
func busyBefore(r *rig, queue string) (c *consumer.Consumer, started chan string, release chan struct{}) {
	r.t.Helper()
	started, release = make(chan string, 50), make(chan struct{})
	c = r.start(consumer.Spec{
		Queue: queue, Concurrency: 3, Prefetch: 10, Backoff: []time.Duration{time.Hour},
		Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
			started <- string(d.Body)
			<-release
			return consumer.Ack()
		},
	})
	r.publish(queue, "a")
	r.publish(queue, "b")
	<-started
	<-started
	c.Pause()
	amqptest.Eventually(r.t, 5*time.Second, func() bool { return !c.Health().Subscribed }, "not paused")
	suspect(r.t, queue, "suspect")
	return c, started, release
}

func TestASuspectThatWaitsForItsTurnStaysInQuarantineOverAStopOrAPause(t *testing.T) {
	for _, how := range []string{"stop", "pause"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			queue := amqptest.Queue(t, "turn")
			c, started, release := busyBefore(r, queue)
			c.Resume()
			amqptest.Eventually(t, 5*time.Second, func() bool { return c.Health().Slow }, "not slow")
			stopped := make(chan error, 1)
			if how == "stop" {
				go func() { stopped <- c.Stop(r.ctx) }()
			} else {
				c.Pause()
				stopped <- nil
			}
			depths(t, map[string]int{queue: 0, queue + "-quarantine": 1})
			close(release)
			r.outcomes(2)
			if err := <-stopped; err != nil {
				t.Error(err)
			}
			if n := len(started); n != 0 {
				t.Errorf("%d messages were started after the %s", n, how)
			}
			depths(t, map[string]int{queue: 0, queue + "-quarantine": 1})
		})
	}
}

func TestASuspectIsHandledAloneAlsoAfterAPause(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "resume")
	c, started, release := busyBefore(r, queue)
	for range 2 { // the second time the consumer knows of the suspect
		c.Resume()
		amqptest.Eventually(t, 5*time.Second, func() bool { return c.Health().Slow && amqptest.Depth(t, queue) == 0 }, "the suspect is not taken")
		select {
		case body := <-started:
			t.Errorf("%s started beside a and b", body)
		case <-time.After(200 * time.Millisecond): // nothing must happen
		}
		c.Pause()
		depths(t, map[string]int{queue: 0, queue + "-quarantine": 1})
	}
	c.Resume()
	close(release)
	r.outcomes(3)
}

// A shovel or a redriving tool brings the header of another queue along.
func TestADeliveryCountThatTheMessageCameWithIsNoCrash(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "foreign")
	c := r.start(consumer.Spec{Queue: queue, Handler: always(consumer.Ack()), Backoff: []time.Duration{time.Hour}})
	amqptest.Publish(t, "", queue, amqp.Publishing{Headers: amqp.Table{"x-delivery-count": int64(50)}})
	if o := r.outcomes(1)[0]; o.Action != monitoring.Acked || c.Health().Slow {
		t.Errorf("the outcome is %s because %s, health %+v", o.Action, o.Reason, c.Health())
	}
}

// The process lives: it only loses its connection, more often than MaxCrashes, while a message is
// in hand.
func TestAFlappingLinkParksNothingAsCrashed(t *testing.T) {
	t.Parallel()
	proxy := amqptest.NewProxy(t, amqptest.URL(t))
	r := newRigAt(t, proxy.URL())
	queue := amqptest.Queue(t, "flap")
	started, release := make(chan struct{}, 100), make(chan struct{})
	r.start(consumer.Spec{
		Queue: queue, MaxCrashes: 3, Concurrency: 20, Prefetch: 20, Backoff: []time.Duration{time.Hour},
		Handler: func(context.Context, consumer.Delivery) consumer.Result {
			started <- struct{}{}
			<-release
			return consumer.Ack()
		},
	})
	r.publish(queue, "x")
	for range 6 {
		<-started
		proxy.Cut()
	}
	<-started
	close(release)
	if o := r.outcomes(1)[0]; o.Action != monitoring.Acked {
		t.Errorf("the outcome is %s because %s", o.Action, o.Reason)
	}
	depths(t, map[string]int{queue: 0, queue + "-error": 0})
}

// A handler that hangs over a message that is handled alone takes one slot, as any stuck handler
// does. Others go on.
func TestAStuckSuspectHoldsUpNobody(t *testing.T) {
	for name, when := range map[string]consumer.WhenStuck{"retry now": consumer.RetryNow, "hold": consumer.Hold} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			queue := amqptest.Queue(t, "stucksuspect")
			release := make(chan struct{})
			spec := consumer.Spec{
				Queue: queue, Timeout: 50 * time.Millisecond, Grace: 50 * time.Millisecond, Backoff: []time.Duration{time.Hour}, WhenStuck: when,
				Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
					if string(d.Body) == "suspect" {
						<-release
					}
					return consumer.Ack()
				},
			}
			r.declare(spec)
			suspect(t, queue, "suspect")
			c := r.start(spec)
			amqptest.Eventually(t, 5*time.Second, func() bool { return c.Health().Stuck == 1 }, "health is %+v", c.Health())
			for range 20 {
				r.publish(queue, "x")
			}
			before := map[consumer.WhenStuck]int{consumer.RetryNow: 21, consumer.Hold: 20}[when]
			r.outcomes(before)
			if h := c.Health(); h.Stuck != 1 || !h.Ready || h.Slow {
				t.Errorf("health is %+v", h)
			}
			close(release)
			r.outcomes(21)
			amqptest.Eventually(t, 5*time.Second, func() bool { return c.Health().Stuck == 0 }, "health is %+v", c.Health())
		})
	}
}

func TestTheOrderOfASingleActiveConsumerOutlivesAStopAndAPause(t *testing.T) {
	for _, how := range []string{"stop", "pause"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			queue := amqptest.Queue(t, "inorder")
			handled := make(chan string, 100)
			gate := make(chan struct{}, 100)
			spec := consumer.Spec{
				Queue: queue, SingleActive: true, Concurrency: 1, Backoff: []time.Duration{time.Hour}, // and ten prefetched
				Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
					handled <- string(d.Body)
					<-gate
					return consumer.Ack()
				},
			}
			r.declare(spec)
			for i := range 20 {
				r.publish(queue, string(rune('a'+i)))
			}
			c := r.start(spec)
			var order strings.Builder
			for range 5 {
				order.WriteString(<-handled)
				gate <- struct{}{}
			}
			order.WriteString(<-handled)
			if how == "stop" {
				stopped := make(chan error, 1)
				go func() { stopped <- c.Stop(r.ctx) }()
				amqptest.Eventually(t, 5*time.Second, func() bool { return c.Health().Stopping }, "not stopping")
				gate <- struct{}{}
				if err := <-stopped; err != nil {
					t.Fatal(err)
				}
				r.start(spec)
			} else {
				c.Pause()
				gate <- struct{}{}
				amqptest.Eventually(t, 5*time.Second, func() bool {
					select {
					case next := <-handled: // it was given to the worker before the consumer saw the pause
						order.WriteString(next)
						gate <- struct{}{}
					default:
					}
					return !c.Health().Subscribed
				}, "not paused")
				c.Resume()
			}
			for order.Len() < 20 {
				gate <- struct{}{}
				order.WriteString(<-handled)
			}
			if got := order.String(); got != "abcdefghijklmnopqrst" {
				t.Errorf("the order is %s", got)
			}
			gate <- struct{}{}
		})
	}
}

func TestThePrefetchBoundsWhatIsHeldAlsoOverPauses(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "bound")
	c := r.start(consumer.Spec{
		Queue: queue, Concurrency: 2, Prefetch: 5, Backoff: []time.Duration{time.Hour}, Redeclare: consumer.RedeclareOff, Handler: always(consumer.Error(nil)),
	})
	ch := amqptest.Channel(t)
	if _, err := ch.QueueDelete(queue+"-error", false, false, false); err != nil {
		t.Fatal(err)
	}
	for range 30 {
		r.publish(queue, "x")
	}
	// Five of the first subscription, and less than five that an earlier one, of the crash guard,
	// had left.
	amqptest.Eventually(t, 5*time.Second, func() bool { return c.Health().CopiesBlocked >= 5 && amqptest.Depth(t, queue) <= 25 }, "nothing is held")
	held := 30 - amqptest.Depth(t, queue)
	if held >= 10 {
		t.Errorf("%d messages are held, the prefetch is 5", held)
	}
	for range 5 {
		c.Pause()
		amqptest.Eventually(t, 5*time.Second, func() bool { return !c.Health().Subscribed }, "not paused")
		c.Resume()
		depths(t, map[string]int{queue: 30 - held}) // no more are taken while five are held
	}
	if _, err := ch.QueueDeclare(queue+"-error", true, false, false, false, amqp.Table{"x-queue-type": "quorum"}); err != nil {
		t.Fatal(err)
	}
	r.outcomes(30)
	depths(t, map[string]int{queue: 0, queue + "-error": 30})
}

// The broker lets a publisher fill a frame with headers to the last byte: there is no room for ours
// then.
func TestAMessageWhoseHeadersFillAFrameIsParkedAsItIs(t *testing.T) {
	exact := wire.MaxProperties - 4 - 2 - 5 // a table with one header "h", and not a byte more
	for _, size := range []int{120_000, 130_000, 130_700, 130_900, exact} {
		for name, result := range map[string]consumer.Result{"retry": consumer.Retry(errors.New("no")), "error": consumer.Error(errors.New("no"))} {
			t.Run(fmt.Sprint(name, " ", size), func(t *testing.T) {
				t.Parallel()
				r := newRig(t)
				queue := amqptest.Queue(t, "huge")
				spec := consumer.Spec{Queue: queue, Backoff: []time.Duration{time.Hour}, Handler: always(result)}
				if size == exact {
					spec.QueueType = topology.Classic // a quorum queue adds a header of its own to what it delivers
				}
				c := r.start(spec)
				amqptest.Publish(t, "", queue, amqp.Publishing{Body: []byte("x"), Headers: amqp.Table{"h": strings.Repeat("x", size)}})
				o := r.outcomes(1)[0]
				r.stop(c)
				at := map[monitoring.Action]string{monitoring.Retried: queue + "-retry-1h", monitoring.Parked: queue + "-error"}[o.Action]
				d := amqptest.Get(t, at)
				if h, _ := d.Headers["h"].(string); len(h) != size {
					t.Errorf("the user's header has %d bytes in %s, want %d", len(h), at, size)
				}
				if o.Action == monitoring.Retried && d.Headers["retry-attempts"] != int64(1) {
					t.Errorf("it is retried without its count")
				}
				depths(t, map[string]int{queue: 0})
			})
		}
	}
}

func TestStartEndsWhenItsConsumerOrConnectionIsStopped(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	nowhere, err := connection.New(connection.Config{URL: "amqp://127.0.0.1:1/"}, log)
	if err != nil {
		t.Fatal(err)
	}
	c, err := consumer.New(nowhere, consumer.Spec{Queue: "x", Handler: always(consumer.Ack())}, nil, log)
	if err != nil {
		t.Fatal(err)
	}
	started := make(chan error, 1)
	go func() { started <- c.Start(context.Background()) }()
	amqptest.Eventually(t, 5*time.Second, func() bool { return nowhere.Health().Consuming.Err != nil }, "not dialled")
	if err := c.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-started; err == nil {
		t.Error("Start says that it started")
	}
	if err := nowhere.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	c, err = consumer.New(nowhere, consumer.Spec{Queue: "x", Handler: always(consumer.Ack())}, nil, log)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(context.Background()); !errors.Is(err, connection.ErrClosed) {
		t.Errorf("on a stopped connection: %v", err)
	}
}

func TestAGroupThatCannotStartDoesNotWaitForABrokerThatIsAway(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	log := slog.New(slog.DiscardHandler)
	nowhere, err := connection.New(connection.Config{URL: "amqp://127.0.0.1:1/"}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nowhere.Stop(context.Background()) })
	missing, err := consumer.New(r.conn, consumer.Spec{Queue: amqptest.Queue(t, "missing"), Declare: topology.Never, Handler: always(consumer.Ack())}, nil, log)
	if err != nil {
		t.Fatal(err)
	}
	waits, err := consumer.New(nowhere, consumer.Spec{Queue: "y", Connection: "nowhere", Handler: always(consumer.Ack())}, nil, log)
	if err != nil {
		t.Fatal(err)
	}
	g, err := consumer.NewGroup(missing, waits)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Start(context.Background()); !errors.Is(err, topology.ErrMissing) || strings.Contains(err.Error(), `"y"`) {
		t.Errorf("the error is %v, want that of the missing queue alone", err)
	}
}
