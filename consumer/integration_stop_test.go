package consumer_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

func TestStopLetsHandlersFinishAndGivesBackWhatHasNotStarted(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "stop")
	release, started := make(chan struct{}), make(chan struct{}, 10)
	c := r.start(consumer.Spec{
		Queue: queue, Concurrency: 2, Prefetch: 8, Backoff: []time.Duration{time.Hour},
		Handler: func(ctx context.Context, _ consumer.Delivery) consumer.Result {
			started <- struct{}{}
			<-release
			return consumer.Ack()
		},
	})
	for range 8 {
		r.publish(queue, "x")
	}
	<-started
	<-started
	stopped := make(chan error, 1)
	go func() { stopped <- c.Stop(r.ctx) }()
	depths(t, map[string]int{queue: 6})
	close(release)
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if n := len(r.ended.Outcomes()); n != 2 {
		t.Errorf("%d messages were handled, want the 2 that had started", n)
	}
	depths(t, map[string]int{queue: 6, queue + "-retry-1h": 0, queue + "-error": 0})
}

// More deploys than MaxCrashes interrupt the same message: no attempt is used, nothing counts as a
// crash.
func TestWhatShutdownInterruptsComesBackWithoutAnAttemptOrACrash(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "interrupt")
	spec := consumer.Spec{Queue: queue, MaxRetries: 1, MaxCrashes: 3, Backoff: []time.Duration{time.Hour}, Handler: always(consumer.Ack())}
	r.declare(spec)
	r.publish(queue, "x")
	for range 5 {
		started := make(chan int, 1)
		spec.Handler = func(ctx context.Context, d consumer.Delivery) consumer.Result {
			started <- d.Attempt
			<-ctx.Done()
			if !errors.Is(context.Cause(ctx), consumer.ErrStopping) {
				t.Errorf("the cause is %v", context.Cause(ctx))
			}
			return consumer.Retry(ctx.Err())
		}
		c := r.start(spec)
		if attempt := <-started; attempt != 1 {
			t.Fatalf("attempt %d, want 1 each time", attempt)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second) // interrupts after 1.5 s
		if err := c.Stop(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	for _, o := range r.ended.Outcomes() {
		if o.Action != monitoring.Interrupted {
			t.Errorf("an outcome is %s", o.Action)
		}
	}
	d := amqptest.Get(t, queue)
	wantHeaders(t, d, amqp.Table{"retry-attempts": int64(0)})
	if n, _ := d.Headers["x-delivery-count"].(int64); n != 0 {
		t.Errorf("the broker counts %d crashes, want none", n)
	}
	depths(t, map[string]int{queue: 0, queue + "-retry-1h": 0, queue + "-error": 0})
}

func TestAStopThatRunsOutOfTimeSaysSoAndLosesNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "deaf")
	release, started := make(chan struct{}), make(chan struct{})
	c := r.start(consumer.Spec{
		Queue: queue, Timeout: consumer.NoTimeout,
		Handler: func(context.Context, consumer.Delivery) consumer.Result {
			close(started)
			<-release
			return consumer.Ack()
		},
	})
	r.publish(queue, "x")
	<-started
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	err := c.Stop(ctx)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v, want that time ran out", err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("Stop took %s", took)
	}
	depths(t, map[string]int{queue: 1})
	close(release)
	r.stop(c) // and now it does end
	if n := c.Health().StaleAcks; n != 1 {
		t.Errorf("%d acks were stale, want the one of the handler that came too late", n)
	}
	depths(t, map[string]int{queue: 1})
}

func TestPauseGivesBackWhatWasPrefetchedAndResumeGoesOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "pause")
	release, started := make(chan struct{}), make(chan struct{}, 20)
	var handled atomic.Int32
	c := r.start(consumer.Spec{
		Queue: queue, Concurrency: 1, Prefetch: 5,
		Handler: func(context.Context, consumer.Delivery) consumer.Result {
			started <- struct{}{}
			<-release
			handled.Add(1)
			return consumer.Ack()
		},
	})
	for range 5 {
		r.publish(queue, "x")
	}
	<-started
	c.Pause()
	depths(t, map[string]int{queue: 4}) // all but the one that runs
	release <- struct{}{}
	r.outcomes(1)
	if h := c.Health(); !h.Paused || h.Subscribed || !h.Ready {
		t.Errorf("health is %+v, want paused, not subscribed, and ready all the same", h)
	}
	depths(t, map[string]int{queue: 4})
	c.Resume()
	close(release)
	r.outcomes(5)
	r.stop(c)
	if handled.Load() != 5 {
		t.Errorf("%d were handled, want 5", handled.Load())
	}
	depths(t, map[string]int{queue: 0, queue + "-error": 0})
}

func TestAConsumerThatIsPausedBeforeStartTakesNothingUntilResume(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "paused")
	c := r.make(consumer.Spec{Queue: queue, Handler: always(consumer.Ack())})
	c.Pause()
	if err := c.Start(r.ctx); err != nil {
		t.Fatal(err)
	}
	r.publish(queue, "x")
	depths(t, map[string]int{queue: 1})
	c.Resume()
	r.outcomes(1)
}
