package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// Every confirmed message ends acked or parked while the connections are cut again and again, with
// handlers that succeed, retry and fail.
func TestCutConnectionsLoseNothing(t *testing.T) {
	t.Parallel()
	proxy := amqptest.NewProxy(t, amqptest.URL(t))
	cut := newRigAt(t, proxy.URL())
	queue := amqptest.Queue(t, "cuts")

	const messages = 1500
	var mu sync.Mutex
	acked := map[string]int{}
	c := cut.start(consumer.Spec{
		Queue: queue, MaxRetries: 2, Backoff: []time.Duration{100 * time.Millisecond}, Concurrency: 8, Prefetch: 40,
		Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
			n, err := strconv.Atoi(string(d.Body))
			if err != nil {
				t.Error(err)
			}
			if d.Attempt > 3 {
				t.Errorf("message %d has attempt %d", n, d.Attempt)
			}
			switch {
			case n%10 == 0:
				return consumer.Error(errors.New("never"))
			case n%3 == 0 && d.Attempt == 1:
				return consumer.Retry(errors.New("not yet"))
			}
			mu.Lock()
			acked[string(d.Body)]++
			mu.Unlock()
			return consumer.Ack()
		},
	})
	published := make(chan struct{})
	var confirmed atomic.Int64
	go func() {
		defer close(published)
		var all sync.WaitGroup
		for w := range 10 {
			all.Go(func() {
				for n := w; n < messages; n += 10 {
					if err := cut.pub.Publish(cut.ctx, queue, []byte(strconv.Itoa(n))); err != nil {
						t.Errorf("publish %d: %v", n, err)
					}
					confirmed.Add(1)
				}
			})
		}
		all.Wait()
	}()
	// Some messages get through between two cuts. Otherwise a busy machine would lose each
	// connection before it is of use.
	const most = 6
	for cuts := range int64(most) {
		amqptest.Eventually(t, 30*time.Second, func() bool { return confirmed.Load() >= cuts*messages/most }, "nothing is confirmed after %d cuts", cuts)
		time.Sleep(rand.N(200 * time.Millisecond)) // faults come from outside, on no signal
		amqptest.Eventually(t, 30*time.Second, func() bool { return proxy.Cut() > 0 }, "no connection is there for another cut than %d", cuts)
	}
	<-published
	parked := map[string]int{}
	amqptest.Eventually(t, 30*time.Second, func() bool {
		mu.Lock()
		defer mu.Unlock()
		for _, d := range amqptest.Drain(t, queue+"-error") {
			parked[string(d.Body)]++
			if d.Headers["bunnicula-reason"] != "error" {
				t.Errorf("%s was parked because %v", d.Body, d.Headers["bunnicula-reason"])
			}
		}
		return len(acked)+len(parked) >= messages
	}, "messages are missing")
	cut.stop(c)
	duplicates := 0
	for n := range messages {
		body := strconv.Itoa(n)
		all := acked[body] + parked[body]
		if all == 0 || (parked[body] > 0) != (n%10 == 0) {
			t.Errorf("message %d was acked %d and parked %d times", n, acked[body], parked[body])
		}
		duplicates += all - 1
	}
	t.Logf("%d cuts, %d duplicates of %d messages, %d stale acks", most, duplicates, messages, c.Health().StaleAcks)
	depths(t, map[string]int{queue: 0, queue + "-retry-100ms": 0, queue + "-error": 0})
}

func TestConsumingGoesOnWithinSecondsAfterACutWhileAnOldHandlerStillRuns(t *testing.T) {
	t.Parallel()
	proxy := amqptest.NewProxy(t, amqptest.URL(t))
	r := newRigAt(t, proxy.URL())
	queue := amqptest.Queue(t, "again")
	release, started := make(chan struct{}), make(chan string, 10)
	c := r.start(consumer.Spec{
		Queue: queue, Concurrency: 2,
		Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
			started <- fmt.Sprint(string(d.Body), d.Redelivered)
			if string(d.Body) == "slow" && !d.Redelivered {
				<-release
			}
			return consumer.Ack()
		},
	})
	r.publish(queue, "slow")
	<-started
	proxy.Cut()
	began := time.Now()
	if got := <-started; got != "slowtrue" {
		t.Errorf("got %s, want the slow message again", got)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("consuming went on after %s", took)
	}
	close(release) // its ack belongs to the session that was cut
	amqptest.Eventually(t, 5*time.Second, func() bool { return c.Health().StaleAcks == 1 }, "the old handler's ack was not counted as stale")
	r.stop(c)
	depths(t, map[string]int{queue: 0, queue + "-error": 0})
}

func TestAFrozenBrokerIsNoticedAndStopStillReturns(t *testing.T) {
	t.Parallel()
	proxy := amqptest.NewProxy(t, amqptest.URL(t))
	r := newRigAt(t, proxy.URL()) // heartbeat 2 s
	queue := amqptest.Queue(t, "frozen")
	c := r.start(consumer.Spec{Queue: queue, Handler: always(consumer.Ack())})
	r.publish(queue, "x")
	r.outcomes(1)
	proxy.Freeze()
	began := time.Now()
	ctx, cancel := context.WithTimeout(r.ctx, 300*time.Millisecond)
	defer cancel()
	if err := r.pub.Publish(ctx, queue, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("publishing to a frozen broker: %v", err)
	}
	amqptest.Eventually(t, 6*time.Second, func() bool { return !c.Health().Subscribed }, "the frozen broker is not noticed")
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("it was noticed after %s, want twice the heartbeat at most", took)
	}
	stop, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	began = time.Now()
	_ = c.Stop(stop) // whether in time or not
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("Stop took %s", took)
	}
}

func TestABrokerThatIsNotThereYetIsWaitedForUntilTheStartContextEnds(t *testing.T) {
	t.Parallel()
	proxy := amqptest.NewProxy(t, amqptest.URL(t))
	proxy.Refuse()
	r := newRigAt(t, proxy.URL())
	queue := amqptest.Queue(t, "late")
	c := r.make(consumer.Spec{Queue: queue, Handler: always(consumer.Ack())})
	ctx, cancel := context.WithTimeout(r.ctx, 500*time.Millisecond)
	defer cancel()
	if err := c.Start(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the error is %v, want that time ran out", err)
	}
	c = r.make(consumer.Spec{Queue: queue, Handler: always(consumer.Ack())})
	time.AfterFunc(300*time.Millisecond, proxy.Accept)
	if err := c.Start(r.ctx); err != nil {
		t.Fatal(err)
	}
}

func TestARotatedPasswordIsFatalAndAnotherOneLetsItGoOn(t *testing.T) {
	t.Parallel()
	user := amqptest.Queue(t, "user")
	amqptest.User(t, user, "one", ".*", ".*", ".*")
	u, err := url.Parse(amqptest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword(user, "one")
	proxy := amqptest.NewProxy(t, u.String())
	mine := newRigAt(t, proxy.URL())
	queue := amqptest.Queue(t, "rotated")
	fatal := make(chan error, 10)
	c := mine.start(consumer.Spec{Queue: queue, Handler: always(consumer.Ack()), OnFatal: func(err error) { fatal <- err }})

	amqptest.ChangePassword(t, user, "two")
	proxy.Cut()
	select {
	case err := <-fatal:
		if !transport.Permanent(err) || strings.Contains(err.Error(), "one") {
			t.Errorf("OnFatal got %v, want a refusal without the password", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("OnFatal was not called")
	}
	if h := c.Health(); h.Ready || !transport.Permanent(h.Err) {
		t.Errorf("health is %+v, want not ready because of the refusal", h)
	}
	if !testing.Short() {
		select { // the next tries wait for a session, and end after 10 s each
		case err := <-fatal:
			t.Errorf("OnFatal was called again over the same trouble: %v", err)
		case <-time.After(15 * time.Second):
		}
	}
	amqptest.ChangePassword(t, user, "one")
	amqptest.Eventually(t, 60*time.Second, func() bool { return c.Health().Ready }, "the consumer did not come back")
}
