package sending_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// minority is a cluster of three of which two nodes are killed: what is left of it confirms no
// message for the dead queues, and every message for the healthy ones.
type minority struct {
	*testing.T
	cluster       *amqptest.Cluster
	healthy, dead []string

	mu        sync.Mutex // guards what is below
	confirmed map[string][]string
	slowest   time.Duration
	late      int
}

const (
	healthyWithin = 2 * time.Second
	refusedWithin = 10 * time.Second
)

// The first message of a channel to a queue without majority blocks the channel for a minute. A
// channel that has published to the queue before gets no confirms of it.
func TestQueuesWithoutMajorityAndARefusalDelayNobodyElse(t *testing.T) {
	amqptest.Long(t)
	m := startMinority(t)
	met, fresh, flooded := newPublisher(t, m.cluster), newPublisher(t, m.cluster), newPublisher(t, m.cluster)
	for _, queue := range append(m.healthy, m.dead...) {
		if err := met.Send(t.Context(), envelope(queue, "first")); err != nil {
			t.Fatal(err)
		}
	}
	for _, node := range m.cluster.Nodes {
		node.Settle()
	}
	m.cluster.Nodes[1].Kill()
	m.cluster.Nodes[2].Kill()
	time.Sleep(5 * time.Second) // until the first node knows

	patient, stop := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	defer waiting.Wait()
	defer stop()
	for name, p := range map[string]*connected{"met": met, "fresh": fresh} {
		t.Run(name, func(t *testing.T) { m.load(t, name, p, patient, &waiting) })
	}
	t.Run("flooded", func(t *testing.T) { m.flood(t, flooded) })
	if t.Failed() {
		return
	}

	m.cluster.Nodes[1].Start()
	m.cluster.Nodes[2].Start()
	done := make(chan struct{})
	go func() {
		waiting.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(2 * time.Minute):
		t.Error("the majority is there again, and messages for its queues are not confirmed")
		stop()
		<-done
	}
	m.check()
}

// startMinority starts the cluster and declares the queues. Two nodes are still to be killed.
func startMinority(t *testing.T) *minority {
	m := &minority{T: t, cluster: amqptest.StartCluster(t), confirmed: map[string][]string{}}
	for i, url := range m.cluster.URLs() {
		ch, err := amqptest.DialURL(t, url).Channel()
		if err != nil {
			t.Fatal(err)
		}
		declare := func(queue string, args amqp.Table) string {
			if _, err := ch.QueueDeclare(queue, true, false, false, false, args); err != nil {
				t.Fatal(err)
			}
			return queue
		}
		for n := range 3 {
			m.dead = append(m.dead, declare(fmt.Sprint("dead-", i, "-", n), amqp.Table{"x-queue-type": "quorum"}))
		}
		if i == 0 {
			m.healthy = append(m.healthy,
				declare("classic", amqp.Table{"x-queue-type": "classic"}),
				declare("alone", amqp.Table{"x-queue-type": "quorum", "x-quorum-initial-group-size": 1}))
		}
	}
	return m
}

// connected is a pipeline with a TCP connection that can be cut.
type connected struct {
	*sending.Pipeline
	proxy *amqptest.Proxy
}

// newPublisher makes a pipeline that is connected to the first node.
func newPublisher(t *testing.T, cluster *amqptest.Cluster) *connected {
	t.Helper()
	proxy := amqptest.NewProxy(t, cluster.URLs()[0])
	conn, err := connection.New(connection.Config{URL: proxy.URL()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Stop(context.Background()) })
	return &connected{newPipeline(t, conn), proxy}
}

// load lets 64 callers publish. Meanwhile messages are refused, and the connection is cut.
func (m *minority) load(t *testing.T, name string, p *connected, patient context.Context, waiting *sync.WaitGroup) {
	m.slowest, m.late = 0, 0
	ctx, stop := context.WithCancel(t.Context())
	var callers sync.WaitGroup
	for i := range 64 {
		if i%2 == 0 {
			callers.Go(func() { m.publish(t, ctx, p, m.healthy[i/2%len(m.healthy)], fmt.Sprint(name, "-", i)) })
			continue
		}
		waiting.Go(func() { m.insist(ctx, patient, p, m.dead[i/2%len(m.dead)], fmt.Sprint(name, "-", i), i%4 == 1) })
	}
	refuse := func(change func(*sending.Envelope)) {
		bad := envelope(m.healthy[0], "bad")
		change(&bad)
		began := time.Now()
		err := p.Send(t.Context(), bad)
		var refused *sending.RefusedError
		took := time.Since(began)
		if !errors.As(err, &refused) || refused.Code != amqp.PreconditionFailed || took > refusedWithin {
			t.Errorf("the message to be refused, after %s: %v", took, err)
		}
		t.Logf("refused after %s", took.Round(time.Millisecond))
	}
	time.Sleep(6 * time.Second)
	refuse(func(e *sending.Envelope) { e.UserId = "somebody-else" })
	time.Sleep(3 * time.Second)
	refuse(func(e *sending.Envelope) { e.Expiration = "soon" })
	time.Sleep(3 * time.Second)
	p.proxy.Cut()
	time.Sleep(time.Second)
	refuse(func(e *sending.Envelope) { e.UserId = "somebody-else" })
	time.Sleep(6 * time.Second)
	stop()
	callers.Wait()
	t.Logf("the slowest message to a healthy queue took %s; %d took more than %s", m.slowest.Round(time.Millisecond), m.late, healthyWithin)
	if m.late > 0 {
		t.Errorf("%d messages to healthy queues took more than %s, up to %s", m.late, healthyWithin, m.slowest)
	}
}

// flood fills the window with messages for a dead queue. RabbitMQ stops reading from a connection
// that has written 400 messages to a channel that is held.
func (m *minority) flood(t *testing.T, p *connected) {
	for i := range sending.DefaultWindow {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		t.Cleanup(cancel)
		if _, err := p.Begin(ctx, envelope(m.dead[0], fmt.Sprint("flood-", i)), true); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		began := time.Now()
		if err := p.Send(t.Context(), envelope(m.healthy[i%2], fmt.Sprint("beside-", i))); err != nil || time.Since(began) > healthyWithin {
			t.Errorf("beside a flood: %v after %s", err, time.Since(began))
		}
		if i == 0 {
			t.Logf("beside a flood the first message to a healthy queue took %s", time.Since(began).Round(time.Millisecond))
		}
	}
}

// publish sends one message after the other, each of which must be confirmed in time.
func (m *minority) publish(t *testing.T, ctx context.Context, p *connected, queue, name string) {
	for n := 0; ctx.Err() == nil; n++ {
		id := fmt.Sprint(name, "-", n)
		began := time.Now()
		if err := p.Send(t.Context(), envelope(queue, id)); err != nil {
			t.Errorf("%s: %v", queue, err)
			return
		}
		m.note(queue, id, time.Since(began))
		time.Sleep(20 * time.Millisecond)
	}
}

func (m *minority) note(queue, id string, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.confirmed[queue] = append(m.confirmed[queue], id)
	if took > healthyWithin {
		m.late++
	}
	m.slowest = max(m.slowest, took)
}

// insist sends messages that cannot be confirmed before the majority is back: with patience one
// message that waits for it, otherwise one message after the other.
func (m *minority) insist(ctx, patient context.Context, p *connected, queue, name string, isPatient bool) {
	for n := 0; ctx.Err() == nil; n++ {
		id := fmt.Sprint(name, "-", n)
		one, cancel := context.WithTimeout(patient, 3*time.Second)
		if isPatient {
			one = patient
		}
		err := p.Send(one, envelope(queue, id))
		cancel()
		if err == nil {
			m.mu.Lock()
			m.confirmed[queue] = append(m.confirmed[queue], id)
			m.mu.Unlock()
		} else if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, sending.ErrNacked) && patient.Err() == nil {
			m.Errorf("%s: %v", queue, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// check reads all queues: what was confirmed must be there.
func (m *minority) check() {
	ch, err := amqptest.DialURL(m.T, m.cluster.URLs()[0]).Channel()
	if err != nil {
		m.Fatal(err)
	}
	for queue, ids := range m.confirmed {
		found := map[string]int{}
		for d, ok, err := ch.Get(queue, true); ok || err != nil; d, ok, err = ch.Get(queue, true) {
			if err != nil {
				m.Fatal(err)
			}
			found[d.MessageId]++
		}
		lost, twice := 0, 0
		for _, id := range ids {
			if found[id] == 0 {
				lost++
			}
			if found[id] > 1 {
				twice++
			}
		}
		m.Logf("%s: %d confirmed, %d lost, %d more than once", queue, len(ids), lost, twice)
		if lost > 0 {
			m.Errorf("%s: %d of %d confirmed messages are lost", queue, lost, len(ids))
		}
	}
}

func newPipeline(t *testing.T, conn *connection.Connection) *sending.Pipeline {
	t.Helper()
	p, err := sending.New(conn.Transport(), sending.DefaultWindow, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = p.Stop(ctx)
	})
	return p
}
