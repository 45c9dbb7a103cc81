package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/internal/test/histories"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Whatever is called beside each other, the Group is what the answers say, no queue has two
// consumers, nothing runs after Stop, and what waits in the queues is not lost.
func TestWhateverIsAddedAndRemovedNothingRunsAfterStop(t *testing.T) {
	histories.Check(t, 300, anyMembership, func(h []change) error { return actOut(t, h) }, "the group is not what the answers of its methods say, see below")
}

// change is a call that begins, and the time until the next one does.
type change struct {
	What     string
	Queue    int
	Patience time.Duration // of the call's context
	Pause    time.Duration
}

const membershipQueues = 3

var anyMembership = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) change {
	return change{
		What:     rapid.SampledFrom([]string{"add", "add", "add", "remove", "remove", "publish", "publish", "start", "start", "broker restarts", "stop"}).Draw(t, "what"),
		Queue:    rapid.IntRange(0, membershipQueues-1).Draw(t, "queue"),
		Patience: rapid.SampledFrom([]time.Duration{time.Minute, 3 * time.Second, 100 * time.Millisecond, 0}).Draw(t, "patience"),
		Pause:    rapid.SampledFrom([]time.Duration{0, 0, time.Millisecond, 20 * time.Millisecond, time.Second, 10 * time.Second}).Draw(t, "pause"),
	}
}), 1, 25)

// membership is a history that is being acted out.
type membership struct {
	sim    *simulated.Broker
	p      *simulated.Process
	sender *sending.Pipeline
	group  *consumer.Group

	mu        sync.Mutex // guards what follows
	present   [membershipQueues]int
	published []string
	handled   tally
	wrong     error
}

func actOut(t *testing.T, h []change) (err error) {
	defer func() {
		if p := recover(); p != nil { // goroutines that never end
			err = fmt.Errorf("%v\n%s", p, histories.Blocked())
		}
		if err != nil {
			err = fmt.Errorf("%w\n%+v", err, h)
		}
	}()
	synctest.Test(t, func(*testing.T) {
		m := &membership{sim: simulated.New(usual)}
		m.p = m.sim.Process("worker")
		if m.sender, err = sending.New(m.p, 16, quietLog); err != nil {
			return
		}
		err = errors.Join(m.run(h), m.wrong)
		_ = m.sender.Stop(ended())
		_ = m.p.Stop(ended())
	})
	return err
}

func queueOf(i int) string { return fmt.Sprint("queue", i) }

func (m *membership) newOne(i int) *consumer.Consumer {
	c, err := consumer.New(connection.Over(m.p), consumer.Spec{
		Queue: queueOf(i), Backoff: []time.Duration{time.Hour},
		Handler: func(ctx context.Context, d consumer.Delivery) consumer.Result {
			return m.handled.handle(ctx, d, 200*time.Millisecond)
		},
	}, monitoring.Nop{}, quietLog)
	m.check(err)
	return c
}

func (m *membership) check(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.wrong == nil {
		m.wrong = err
	}
}

func (m *membership) count(queue, n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.present[queue] += n
}

func (m *membership) run(h []change) error {
	// All queues exist, so that messages can be published before a consumer is added.
	all, err := consumer.NewGroup(m.newOne(0), m.newOne(1), m.newOne(2))
	if err != nil {
		return err
	}
	if err := errors.Join(all.Start(context.Background()), all.Stop(context.Background())); err != nil {
		return err
	}
	if m.group, err = consumer.NewGroup(); err != nil {
		return err
	}
	ending, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		m.watch(ending)
	}()
	var calls sync.WaitGroup
	for i, c := range h {
		calls.Go(func() { m.call(c, fmt.Sprint("m", i)) })
		time.Sleep(c.Pause)
	}
	calls.Wait()
	if !slices.ContainsFunc(h, func(c change) bool { return c.What == "stop" }) { // else that has stopped all
		if err := m.group.Stop(context.Background()); err != nil {
			return err
		}
	}
	close(ending)
	<-watched
	return errors.Join(m.members(), m.nothingRuns(), m.group.Stop(context.Background()), m.nothingIsLost())
}

func (m *membership) call(c change, id string) {
	ctx, cancel := context.WithTimeout(context.Background(), c.Patience)
	defer cancel()
	switch c.What {
	case "add":
		if m.group.AddConsumer(ctx, m.newOne(c.Queue)) == nil {
			m.count(c.Queue, 1)
		}
	case "remove":
		// One whose handlers outlive its context has removed all the same.
		if err := m.group.Remove(ctx, queueOf(c.Queue)); err == nil || !strings.Contains(err.Error(), "remove: ") {
			m.count(c.Queue, -1)
		}
	case "publish":
		env := sending.Envelope{RoutingKey: queueOf(c.Queue), Publishing: amqp.Publishing{MessageId: id, DeliveryMode: amqp.Persistent, Timestamp: time.Now().UTC()}}
		if m.sender.Send(ctx, env) == nil {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.published = append(m.published, id)
		}
	case "start":
		_ = m.group.Start(ctx)
	case "broker restarts":
		m.sim.Restart(5 * time.Second)
	case "stop":
		_ = m.group.Stop(ctx)
	}
}

// watch looks for two consumers of one queue. For a moment there may be two: the channel of one
// whose stop was out of time is closed while the next begins.
func (m *membership) watch(ending <-chan struct{}) {
	twice := [membershipQueues]int{}
	for {
		for i := range twice {
			if twice[i]++; m.sim.Consumers(queueOf(i)) < 2 {
				twice[i] = 0
			}
			if twice[i] > 10 {
				m.check(fmt.Errorf("queue %d has two consumers for a second", i))
			}
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ending:
			return
		}
	}
}

// members says what is wrong with the Group after all calls have returned.
func (m *membership) members() error {
	var want, got []string
	for i, n := range m.present {
		if n < 0 || n > 1 {
			return fmt.Errorf("%s was added %d times more than removed", queueOf(i), n)
		}
		if n == 1 {
			want = append(want, queueOf(i))
		}
	}
	for _, c := range m.group.Consumers() {
		got = append(got, c.Name())
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		return fmt.Errorf("in the group are %q, want %q", got, want)
	}
	return nil
}

func (m *membership) nothingRuns() error {
	time.Sleep(10 * time.Second) // so that the broker is back, and whoever waits for it, too
	for i := range m.present {
		if n := m.sim.Consumers(queueOf(i)); n != 0 {
			return fmt.Errorf("after Stop %s has %d consumers", queueOf(i), n)
		}
	}
	if m.group.AddConsumer(context.Background(), m.newOne(0)) == nil {
		return errors.New("after Stop one was added")
	}
	return nil
}

// nothingIsLost says which messages nobody can handle any more.
func (m *membership) nothingIsLost() error {
	rest, err := consumer.NewGroup(m.newOne(0), m.newOne(1), m.newOne(2))
	if err != nil {
		return err
	}
	if err := rest.Start(context.Background()); err != nil {
		return err
	}
	err = within(time.Minute, "all handled", func() bool {
		return !slices.ContainsFunc(m.published, func(id string) bool { return m.handled.of(id) == 0 })
	})
	return errors.Join(err, rest.Stop(context.Background()))
}
