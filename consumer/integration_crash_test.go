package consumer_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
)

// crashSpec is the same in the test and in the worker process that it starts.
func crashSpec(queue string) consumer.Spec {
	return consumer.Spec{
		Queue: queue, MaxCrashes: 5, Concurrency: 8, Prefetch: 40, Backoff: []time.Duration{time.Hour},
		Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
			if string(d.Body) == "killer" {
				os.Exit(3)
			}
			return consumer.Ack()
		},
	}
}

// TestWorkerProcess is no test: it is the process that TestAMessageThatKillsItsProcess starts
// again each time that it dies.
func TestWorkerProcess(t *testing.T) {
	queue := os.Getenv("BUNNICULA_TEST_WORKER")
	if queue == "" {
		t.Skip("only as a child of TestAMessageThatKillsItsProcessIsParkedAndItsNeighboursAreHandled")
	}
	r := newRig(t)
	spec := crashSpec(queue)
	handle := spec.Handler
	spec.Handler = func(ctx context.Context, d consumer.Delivery) consumer.Result {
		fmt.Println("handles", string(d.Body))
		return handle(ctx, d)
	}
	c := r.start(spec)
	_, _ = io.Copy(io.Discard, os.Stdin) // until the test closes it
	r.stop(c)
}

func TestAMessageThatKillsItsProcessIsParkedAndItsNeighboursAreHandled(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "crash")
	spec := crashSpec(queue)
	r.declare(spec)
	const innocent = 39
	for i := range innocent + 1 {
		if i == 20 {
			r.publish(queue, "killer")
			continue
		}
		r.publish(queue, fmt.Sprint("innocent ", i))
	}
	handled := map[string]int{}
	deaths := 0
	for deaths < 20 {
		done, cancel := context.WithTimeout(r.ctx, 30*time.Second)
		cmd := exec.CommandContext(done, os.Args[0], "-test.run=^TestWorkerProcess$")
		cmd.Env = append(os.Environ(), "BUNNICULA_TEST_WORKER="+queue)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { // once the killer is parked the worker lives on, and is told to stop: what it holds is to be settled
			for done.Err() == nil {
				if amqptest.Depth(t, queue+"-error") == 1 && amqptest.Depth(t, queue) == 0 && amqptest.Depth(t, queue+"-quarantine") == 0 {
					_ = in.Close()
				}
				select {
				case <-done.Done():
				case <-time.After(50 * time.Millisecond):
				}
			}
		}()
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if body, ok := strings.CutPrefix(lines.Text(), "handles "); ok {
				handled[body]++
			}
		}
		_ = cmd.Wait()
		code := cmd.ProcessState.ExitCode()
		cancel()
		if code != 3 {
			break
		}
		deaths++
	}
	if deaths != spec.MaxCrashes || handled["killer"] != spec.MaxCrashes {
		t.Errorf("the process died %d times and the killer was handled %d times, want %d", deaths, handled["killer"], spec.MaxCrashes)
	}
	delete(handled, "killer")
	if len(handled) != innocent {
		t.Errorf("%d innocent messages were handled, want %d", len(handled), innocent)
	}
	d := amqptest.Get(t, queue+"-error")
	wantHeaders(t, d, amqp.Table{"bunnicula-reason": "crashed", "retry-attempts": int64(0)})
	if string(d.Body) != "killer" {
		t.Errorf("%s was parked as crashed", d.Body)
	}
	depths(t, map[string]int{queue: 0, queue + "-retry-1h": 0, queue + "-quarantine": 0, queue + "-error": 0})
}

// Another worker's crash brings a suspect to one that is in full swing: it sets it aside, finishes
// what runs, handles the suspect alone, and is back in full swing after that.
func TestASuspectIsHandledAloneAndThenAllGoesOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "suspect")
	c, started, release := busyBefore(r, queue)
	c.Resume()
	amqptest.Eventually(t, 5*time.Second, func() bool { return c.Health().Slow }, "the consumer did not go slow")
	r.publish(queue, "c")
	select {
	case body := <-started:
		t.Errorf("%s started beside others", body)
	case <-time.After(200 * time.Millisecond): // nothing must happen
	}
	release <- struct{}{}
	release <- struct{}{}
	if body := <-started; body != "suspect" {
		t.Errorf("%s was handled, want the suspect", body)
	}
	select {
	case body := <-started:
		t.Errorf("%s started beside the suspect", body)
	case <-time.After(200 * time.Millisecond):
	}
	close(release)
	if o := r.outcomes(4); o[3].Action != monitoring.Acked {
		t.Errorf("the outcomes are %v", o)
	}
	amqptest.Eventually(t, 5*time.Second, func() bool { return !c.Health().Slow && c.Health().Subscribed }, "the consumer stayed slow")
	r.stop(c)
	depths(t, map[string]int{queue: 0, queue + "-error": 0})
}

func TestOneConsumerAtATimeKeepsTheOrderOverAnInterruption(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := amqptest.Queue(t, "order")
	spec := consumer.Spec{Queue: queue, SingleActive: true, Concurrency: 1, Prefetch: 1, QueueType: topology.Quorum}
	started := make(chan struct{}, 1)
	spec.Handler = func(ctx context.Context, _ consumer.Delivery) consumer.Result {
		started <- struct{}{}
		<-ctx.Done()
		return consumer.Retry(ctx.Err())
	}
	c := r.start(spec)
	for i := range 5 {
		r.publish(queue, fmt.Sprint(i))
	}
	<-started
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second) // the handler is told in the last of them
	defer cancel()
	if err := c.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	var order []string
	spec.Handler = func(_ context.Context, d consumer.Delivery) consumer.Result {
		order = append(order, string(d.Body))
		return consumer.Ack()
	}
	r.start(spec)
	r.outcomes(1 + 5)
	if got := strings.Join(order, ""); got != "01234" {
		t.Errorf("the order is %s", got)
	}
}
