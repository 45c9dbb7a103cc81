package consumer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

// fleet runs the partitions of one queue as a process does.
type fleet struct {
	*rig
	group *consumer.Group
	log   *syncBuffer
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (r *rig) fleet(specs []consumer.Spec) *fleet {
	r.t.Helper()
	f := &fleet{rig: r, log: new(syncBuffer)}
	log := slog.New(slog.NewTextHandler(f.log, nil))
	var all []*consumer.Consumer
	for _, s := range specs {
		c, err := consumer.New(r.conn, s, monitoring.Nop{}, log)
		if err != nil {
			r.t.Fatal(err)
		}
		all = append(all, c)
	}
	var err error
	if f.group, err = consumer.NewGroup(all...); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(f.stop)
	return f
}

func (f *fleet) start() error { return f.group.Start(f.ctx) }

func (f *fleet) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := f.group.Stop(ctx); err != nil {
		f.t.Errorf("stop: %v", err)
	}
}

// partitioned is a Spec whose handler is never to fail.
func partitioned(queue string, h consumer.Handler) consumer.Spec {
	return consumer.Spec{Queue: queue, Handler: h, Backoff: []time.Duration{time.Hour}, MaxRetries: consumer.NoRetries}
}

// partitions names a queue whose partitions, up to n of them, are deleted at the end of the test.
func partitions(t *testing.T, prefix string, n int) string {
	t.Helper()
	var suffixes []string
	for i := range n {
		p := topology.PartitionQueue("", i)
		suffixes = append(suffixes, p, p+"-retry-1h")
	}
	return amqptest.Queue(t, prefix, suffixes...)
}

func key(i int) string { return fmt.Sprintf("key-%d", i) }

func (r *rig) toPartition(queue, key string, n int, body string) {
	r.t.Helper()
	r.publish(queue, body, publisher.Partition(key, n))
}

func TestMessagesOfOneKeyAreHandledInOrderByOneProcessAtATime(t *testing.T) {
	t.Parallel()
	const n, keys, each = 4, 8, 20
	r, other := newRig(t), newRig(t)
	queue := partitions(t, "partitions", n)
	var mu sync.Mutex
	seen := map[string][]int{}
	handler := func(_ context.Context, d consumer.Delivery) consumer.Result {
		k, i := "", 0
		if _, err := fmt.Sscanf(string(d.Body), "%s %d", &k, &i); err != nil {
			return consumer.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		seen[k] = append(seen[k], i)
		return consumer.Ack()
	}
	first := r.fleet(consumer.Partitioned(n, partitioned(queue, handler)))
	if err := first.start(); err != nil {
		t.Fatal(err)
	}
	for i := range each {
		for k := range keys {
			r.toPartition(queue, key(k), n, fmt.Sprintf("%s %d", key(k), i))
		}
		switch i {
		case 5:
			if err := other.fleet(consumer.Partitioned(n, partitioned(queue, handler))).start(); err != nil {
				t.Fatal(err)
			}
		case 12:
			first.stop()
		}
	}
	amqptest.Eventually(t, 15*time.Second, func() bool {
		mu.Lock()
		defer mu.Unlock()
		for k := range keys {
			if all := seen[key(k)]; len(all) < each || all[len(all)-1] != each-1 {
				return false
			}
		}
		return true
	}, "not all were handled: %v", seen)
	mu.Lock()
	defer mu.Unlock()
	for k, all := range seen {
		highest := -1
		for _, i := range all {
			if i > highest+1 {
				t.Errorf("%s: %d began before %d: %v", k, i, highest+1, all)
			}
			highest = max(highest, i)
		}
	}
}

func TestAnotherNumberOfPartitionsIsRefusedWhileMessagesWait(t *testing.T) {
	t.Parallel()
	ack := always(consumer.Ack())
	for _, c := range []struct {
		name        string
		before, now int
		waits       []int // partitions of before in which a message waits
		want        string
		warns       string
		repeats     bool // another case plays the same path
	}{
		{"more, empty", 2, 4, nil, "", "before=2 left_over=\"\"", false},
		{"more, one waits", 2, 4, []int{1}, "there are 2, 4 are wanted, and 1 messages wait (1 in p01): start with 2 until they are empty", "", false},
		{"fewer, empty", 4, 2, nil, "", `before=4 left_over="p02 to p03"`, false},
		{"fewer, one waits in one that is too many", 4, 2, []int{3}, "there are 4, 2 are wanted, and 1 messages wait (1 in p03): start with 4 until they are empty", "", true},
		{"fewer, one waits where its key stays", 4, 2, []int{1}, "", `before=4 left_over="p02 to p03"`, true},
		{"fewer, one waits that may belong elsewhere", 8, 5, []int{3}, "delete the empty ones (p05 to p07)", "", true},
		{"the same", 2, 2, []int{0, 1}, "", "", true},
		{"many more, one waits", 8, 16, []int{3}, "there are 8, 16 are wanted, and 1 messages wait (1 in p03): start with 8 until they are empty", "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.repeats {
				amqptest.Long(t)
			}
			t.Parallel()
			r := newRig(t)
			queue := partitions(t, "changed", max(c.before, c.now))
			for _, s := range consumer.Partitioned(c.before, partitioned(queue, ack)) {
				r.declare(s)
			}
			for _, i := range c.waits {
				r.publish(topology.PartitionQueue(queue, i), "waits")
			}
			f := r.fleet(consumer.Partitioned(c.now, partitioned(queue, ack)))
			err := f.start()
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if c.warns == "" == strings.Contains(f.log.String(), "number of partitions has changed") || !strings.Contains(f.log.String(), c.warns) {
					t.Errorf("the log is %s, want %q", f.log.String(), c.warns)
				}
				return
			}
			if !errors.Is(err, consumer.ErrOtherPartitions) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if n := strings.Count(err.Error(), "messages wait in the partitions"); n != 1 {
				t.Errorf("the error says it %d times: %v", n, err)
			}
			for _, i := range c.waits { // nothing is lost
				depths(t, map[string]int{topology.PartitionQueue(queue, i): 1})
			}
			ch := amqptest.Channel(t)
			if c.now > c.before {
				if _, err := ch.QueueDeclarePassive(topology.PartitionQueue(queue, c.now-1), true, false, false, false, nil); err == nil {
					t.Error("partitions of the other number were declared")
				}
			}
		})
	}
}

// RabbitMQ 4.3.6 keeps an active consumer that ends with messages in hand after its successor has
// come and ended (see internal/test/partitions). A consumer that ends in time has none in hand.
func TestAStopAndAPauseLeaveThePartitionToOthers(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*rig, *consumer.Consumer){
		"stop":  func(r *rig, c *consumer.Consumer) { r.stop(c) },
		"pause": func(_ *rig, c *consumer.Consumer) { c.Pause() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, successor, third := newRig(t), newRig(t), newRig(t)
			queue := partitions(t, "held", 1)
			begun, let := make(chan struct{}, 9), make(chan struct{})
			handled := make(chan string, 9)
			start := func(r *rig, priority int, h consumer.Handler) *consumer.Consumer {
				one := consumer.Partitioned(1, partitioned(queue, h))[0]
				one.Priority = priority
				return r.start(one)
			}
			note := func(_ context.Context, d consumer.Delivery) consumer.Result {
				handled <- string(d.Body)
				return consumer.Ack()
			}
			a := start(first, 0, func(context.Context, consumer.Delivery) consumer.Result {
				begun <- struct{}{}
				<-let
				return consumer.Ack()
			})
			for i := range 3 {
				first.publish(topology.PartitionQueue(queue, 0), fmt.Sprint(i))
			}
			<-begun
			successor.stop(start(successor, 5, note))
			start(third, -5, note)
			ended := make(chan struct{})
			go func() { defer close(ended); end(first, a) }()
			amqptest.Eventually(t, 5*time.Second, func() bool { h := a.Health(); return h.Stopping || h.Paused }, "it does not end")
			close(let)
			for _, want := range []string{"1", "2"} {
				select {
				case got := <-handled:
					if got != want {
						t.Errorf("handled %s, want %s", got, want)
					}
				case <-time.After(10 * time.Second):
					t.Fatal("the partition is held")
				}
			}
			<-ended
		})
	}
}

// What a consumer that has ended seems to hold comes back when the broker has waited for longer
// than it can take.
func TestTheBrokerIsToldHowLongAPartitionMayBeHeld(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		set  func(*consumer.Spec)
		want string // of the argument, "" for none
	}{
		"defaults":                             {func(*consumer.Spec) {}, "365000"}, // 60 s, 5 s and 5 minutes
		"a Prefetch":                           {func(s *consumer.Spec) { s.Prefetch, s.Timeout, s.Grace = 10, 2*time.Second, time.Second }, "330000"},
		"a long one":                           {func(s *consumer.Spec) { s.Timeout = 26 * time.Minute }, ""},
		"one that is held for a stuck handler": {func(s *consumer.Spec) { s.WhenStuck = consumer.Hold }, ""},
		"without end":                          {func(s *consumer.Spec) { s.Timeout = consumer.NoTimeout }, ""},
		"one Priority":                         {func(s *consumer.Spec) { s.Priority = 1 }, "950000"}, // ten times 65 s
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, queue := newRig(t), partitions(t, "holds", 1)
			spec := partitioned(queue, always(consumer.Ack()))
			row.set(&spec)
			r.start(consumer.Partitioned(1, spec)[0])
			var line string
			for l := range strings.Lines(amqptest.Ctl(t, "list_consumers", "queue_name", "arguments")) {
				if strings.HasPrefix(l, topology.PartitionQueue(queue, 0)+"\t") {
					line = l
				}
			}
			if argument := "x-consumer-timeout"; line == "" || strings.Contains(line, argument) != (row.want != "") || !strings.Contains(line, row.want) {
				t.Errorf("the broker's consumer is %q, want %s %s", line, argument, row.want)
			}
		})
	}
}

// Each process must find none of the partitions or all of them, whatever another one is about to
// declare.
func TestProcessesThatStartAtOnceNeverTakeEachOtherForOthers(t *testing.T) {
	t.Parallel()
	ack := always(consumer.Ack())
	for _, before := range []int{0, 3} {
		t.Run(fmt.Sprintf("%d before", before), func(t *testing.T) {
			t.Parallel()
			const n = 6
			queue := partitions(t, "at-once", n)
			rigs := []*rig{newRig(t), newRig(t), newRig(t)}
			if before > 0 {
				for _, s := range consumer.Partitioned(before, partitioned(queue, ack)) {
					rigs[0].declare(s)
				}
			}
			done := make(chan struct{})
			var publishing, starting sync.WaitGroup
			ch := amqptest.Channel(t)
			publishing.Go(func() { // messages of the new number, as soon as its first queue is there
				for !amqptest.Exists(t, topology.PartitionQueue(queue, n-1)) {
					time.Sleep(time.Millisecond)
				}
				for i := 0; ; i++ {
					select {
					case <-done:
						return
					default:
					}
					name, _ := topology.Partition(queue, key(i), n)
					_ = ch.PublishWithContext(t.Context(), "", name, false, false, amqp.Publishing{Body: []byte("x")})
				}
			})
			for _, r := range rigs {
				starting.Go(func() {
					if err := r.fleet(consumer.Partitioned(n, partitioned(queue, ack))).start(); err != nil {
						t.Error(err)
					}
				})
			}
			starting.Wait()
			close(done)
			publishing.Wait()
		})
	}
}

func TestPartitionsThatMayNotBeDeclaredAreLookedAtAlone(t *testing.T) {
	t.Parallel()
	ack := always(consumer.Ack())
	for _, mode := range []topology.Mode{topology.Satellites, topology.Never} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			queue := partitions(t, "modes", 6)
			spec := partitioned(queue, ack)
			for _, s := range consumer.Partitioned(4, spec) {
				r.declare(s)
			}
			r.publish(topology.PartitionQueue(queue, 1), "waits")
			spec.Declare = mode
			err := r.fleet(consumer.Partitioned(6, spec)).start()
			if !errors.Is(err, consumer.ErrOtherPartitions) {
				t.Errorf("got %v, want an ErrOtherPartitions", err)
			}
			if err := r.fleet(consumer.Partitioned(4, spec)).start(); err != nil {
				t.Error(err)
			}
			missing := partitions(t, "modes-missing", 2)
			spec.Queue = missing
			if err := r.fleet(consumer.Partitioned(2, spec)).start(); !errors.Is(err, topology.ErrMissing) {
				t.Errorf("got %v, want an ErrMissing", err)
			}
		})
	}
}
