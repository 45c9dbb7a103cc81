package consumer_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// lab is a simulated broker in simulated time, with an app that publishes and processes that
// consume.
type lab struct {
	*testing.T
	sim    *simulated.Broker
	sender *sending.Pipeline

	cut  atomic.Pointer[string]               // the next frame of this process on its consuming link loses the connection
	plan func(simulated.Step) simulated.Fault // the test's own faults; immutable, nil is none

	mu        sync.Mutex
	consumers []*consumer.Consumer
	processes []*simulated.Process
}

// inLab runs a test in a bubble. It stops all consumers and processes in the end, and fails if a
// client has done what it must never do.
func inLab(t *testing.T, o simulated.Options, run func(*lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := &lab{T: t, plan: o.Faults}
		o.Faults = l.fault
		l.sim = simulated.New(o)
		app := l.process("app")
		sender, err := sending.New(app, 1000, quietLog)
		l.must(err)
		l.sender = sender
		run(l)
		l.end()
		for _, e := range l.sim.Journal() {
			if e.Kind == simulated.Violation {
				t.Error(e)
			}
		}
	})
}

func (l *lab) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.consumers {
		l.stop(c)
	}
	_ = l.sender.Stop(ended())
	for _, p := range l.processes {
		_ = p.Stop(ended())
	}
}

func (l *lab) must(err error) {
	l.Helper()
	if err != nil {
		l.Fatal(err)
	}
}

func (l *lab) fault(s simulated.Step) simulated.Fault {
	if who := l.cut.Load(); who != nil && s.Process == *who && s.Purpose == "consume" {
		l.cut.Store(nil)
		return simulated.Fault{Kind: simulated.Cut}
	}
	if l.plan != nil {
		return l.plan(s)
	}
	return simulated.Fault{}
}

// loseLink cuts a process's consuming link at once: at the frame that a pause sends.
func (l *lab) loseLink(process string, c *consumer.Consumer) {
	l.cut.Store(&process)
	c.Pause()
	for l.cut.Load() != nil {
		time.Sleep(10 * time.Millisecond)
	}
	c.Resume()
}

func (l *lab) process(name string) *simulated.Process {
	p := l.sim.Process(name)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.processes = append(l.processes, p)
	return p
}

// start starts a consumer in a process. What the Spec leaves open is that of a patient one.
func (l *lab) start(p *simulated.Process, spec consumer.Spec) *consumer.Consumer {
	l.Helper()
	return l.startWatched(p, spec, monitoring.Nop{})
}

// startWatched is start with a monitor.
func (l *lab) startWatched(p *simulated.Process, spec consumer.Spec, monitor monitoring.Monitor) *consumer.Consumer {
	l.Helper()
	if spec.Backoff == nil {
		spec.Backoff = []time.Duration{time.Hour}
	}
	c, err := consumer.New(connection.Over(p), spec, monitor, quietLog)
	l.must(err)
	if err := c.Start(context.Background()); err != nil {
		select {
		case <-p.Dead(): // a killer in quarantine is handled before the first subscription stands
		default:
			l.Fatal(err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.consumers = append(l.consumers, c)
	return c
}

// make makes a consumer that the end of the test stops.
func (l *lab) make(spec consumer.Spec) *consumer.Consumer {
	l.Helper()
	if spec.Backoff == nil {
		spec.Backoff = []time.Duration{time.Hour}
	}
	c, err := consumer.New(connection.Over(l.process("made")), spec, monitoring.Nop{}, quietLog)
	l.must(err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.consumers = append(l.consumers, c)
	return c
}

// declare declares a consumer's queues without consuming, so that a test can publish first.
func (l *lab) declare(spec consumer.Spec) {
	l.Helper()
	if spec.Backoff == nil {
		spec.Backoff = []time.Duration{time.Hour}
	}
	c, err := consumer.New(nil, spec, nil, quietLog)
	l.must(err)
	s, err := l.processes[0].Consuming().Session(context.Background())
	l.must(err)
	ch, err := s.Channel(context.Background())
	l.must(err)
	l.must(c.Topology().Declare(ch))
	l.must(ch.Close())
}

func (l *lab) stop(c *consumer.Consumer) {
	l.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	l.must(c.Stop(ctx))
}

// publish sends messages with these ids.
func (l *lab) publish(queue string, ids ...string) {
	l.Helper()
	for _, id := range ids {
		l.publishBody(queue, id, nil)
	}
}

func (l *lab) publishBody(queue, id string, body []byte) {
	l.Helper()
	l.must(l.sender.Send(context.Background(), sending.Envelope{RoutingKey: queue, Publishing: amqp.Publishing{
		MessageId: id, DeliveryMode: amqp.Persistent, Timestamp: time.Now().UTC(), ContentType: "text/plain", Body: body,
	}}))
}

func (l *lab) publishMany(queue string, n int) {
	l.Helper()
	for i := range n {
		l.publish(queue, fmt.Sprintf("%s%d", queue, i+1))
	}
}

// suspect publishes a message that comes back twice as a failure, as if two processes had died over
// it. No consumer of the queue may run.
func (l *lab) suspect(queue, id string) {
	l.Helper()
	l.publish(queue, id)
	l.returnTwice(queue, id)
}

// returnTwice takes the first message of a queue and returns it, twice.
func (l *lab) returnTwice(queue, id string) {
	l.Helper()
	s, err := l.processes[0].Consuming().Session(context.Background())
	l.must(err)
	ch, err := s.Channel(context.Background())
	l.must(err)
	for range 2 {
		d, ok, err := ch.Get(queue, false)
		l.must(err)
		if !ok || d.MessageId != id {
			l.Fatalf("took %q from %s, want %s", d.MessageId, queue, id)
		}
		l.must(ch.Reject(d.DeliveryTag, true))
	}
	l.must(ch.Close())
}

// wait waits until something is so.
func (l *lab) wait(d time.Duration, what string, is func() bool) {
	l.Helper()
	l.must(within(d, what, is))
}

// events are those of a kind in a queue.
func (l *lab) events(kind simulated.EventKind, queue string) (n int) {
	for _, e := range l.sim.Journal() {
		if e.Kind == kind && e.Queue == queue {
			n++
		}
	}
	return n
}

// wantDepths asserts how many messages are ready in each queue. What a monitor was told may be on
// its way to the broker yet: it has 100 ms of simulated time.
func (l *lab) wantDepths(want map[string]int) {
	l.Helper()
	if differ := l.differ(want); len(differ) > 0 {
		time.Sleep(100 * time.Millisecond)
		for _, d := range l.differ(want) {
			l.Error(d)
		}
	}
}

func (l *lab) differ(want map[string]int) (differ []string) {
	for queue, n := range want {
		if ready, _, _ := l.sim.Depth(queue); ready != n {
			differ = append(differ, fmt.Sprintf("queue %s has %d messages, want %d", queue, ready, n))
		}
	}
	return differ
}

// tally counts what handlers have done, by message id.
type tally struct {
	mu      sync.Mutex
	ran     map[string]int
	running int
	most    int
}

// handle counts a message, works on it, and acks it. It makes no timer for 0. A goroutine fires a
// timer that is due at once itself. When many of one bubble do so at the same time, the race
// detector crashes in the end, since they share its state of the bubble's timers.
func (y *tally) handle(ctx context.Context, d consumer.Delivery, work time.Duration) consumer.Result {
	y.add(d.MessageID, 1)
	defer y.add(d.MessageID, -1)
	if work == 0 {
		return consumer.Ack()
	}
	select {
	case <-time.After(work):
		return consumer.Ack()
	case <-ctx.Done():
		return consumer.Retry(context.Cause(ctx))
	}
}

func (y *tally) add(id string, n int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.running += n; n > 0 {
		if y.ran == nil {
			y.ran = map[string]int{}
		}
		y.ran[id]++
		y.most = max(y.most, y.running)
	}
}

// of is how often a message was begun.
func (y *tally) of(id string) int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return y.ran[id]
}

// messages is how many were begun whose ids begin like that.
func (y *tally) messages(prefix string) (n int) {
	y.mu.Lock()
	defer y.mu.Unlock()
	for id := range y.ran {
		if strings.HasPrefix(id, prefix) {
			n++
		}
	}
	return n
}
