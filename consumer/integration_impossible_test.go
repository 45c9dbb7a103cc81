package consumer_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// refusedAtOnce asserts that a consumer does not start, at once and for this reason, and that
// OnFatal is told.
func refusedAtOnce(t *testing.T, spec consumer.Spec, want error, words ...string) {
	t.Helper()
	fatal := make(chan error, 1)
	var handled atomic.Int32
	spec.OnFatal = func(err error) { fatal <- err }
	spec.Handler = func(context.Context, consumer.Delivery) consumer.Result {
		handled.Add(1)
		return consumer.Ack()
	}
	spec.Backoff = []time.Duration{time.Second}
	r := newRig(t)
	began := time.Now()
	err := r.make(spec).Start(r.ctx)
	if took := time.Since(began); !errors.Is(err, want) || took > 5*time.Second {
		t.Fatalf("start: %v after %s, want %v at once", err, took, want)
	}
	for _, word := range append(words, spec.Queue) {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q is not in %v", word, err)
		}
	}
	select {
	case told := <-fatal:
		if !errors.Is(told, want) {
			t.Errorf("OnFatal was told %v", told)
		}
	case <-time.After(5 * time.Second):
		t.Error("OnFatal was not called")
	}
	if handled.Load() > 0 {
		t.Error("a handler has run")
	}
}

func stream(t *testing.T, name string) {
	t.Helper()
	if _, err := amqptest.Channel(t).QueueDeclare(name, true, false, false, false, amqp.Table{"x-queue-type": "stream"}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		amqptest.Publish(t, "", name, amqp.Publishing{Body: []byte("in the stream")})
	}
}

func TestAStreamIsRefusedAtTheStart(t *testing.T) {
	for _, mode := range []topology.Mode{topology.Satellites, topology.Never} {
		queue := amqptest.Queue(t, "stream")
		newRig(t).declare(consumer.Spec{Queue: queue, Handler: always(consumer.Ack()), Backoff: []time.Duration{time.Second}})
		if _, err := amqptest.Channel(t).QueueDelete(queue, false, false, false); err != nil {
			t.Fatal(err)
		}
		stream(t, queue)
		refusedAtOnce(t, consumer.Spec{Queue: queue, Declare: mode}, topology.ErrStream, "type stream")
	}
}

// Nothing that is parked in a stream, or waits in one, would ever come out of it.
func TestAStreamBesideTheMainQueueIsRefusedAtTheStart(t *testing.T) {
	for _, suffix := range []string{"-error", "-retry-1s"} {
		queue := amqptest.Queue(t, "stream")
		newRig(t).declare(consumer.Spec{Queue: queue, Handler: always(consumer.Ack()), Backoff: []time.Duration{time.Second}})
		if _, err := amqptest.Channel(t).QueueDelete(queue+suffix, false, false, false); err != nil {
			t.Fatal(err)
		}
		stream(t, queue+suffix)
		refusedAtOnce(t, consumer.Spec{Queue: queue, Declare: topology.Never}, topology.ErrStream, queue+suffix)
	}
}

// The argument is one that no version of topology knows, and that a broker refuses: a type that is
// only wrong at the broker.
func TestADeclarationThatTheBrokerRefusesEndsTheStart(t *testing.T) {
	queue := amqptest.Queue(t, "invalid")
	refusedAtOnce(t, consumer.Spec{
		Queue: queue, Bindings: []topology.Bind{{Exchange: queue + "-plugin", Kind: "x-no-such-plugin"}},
	}, topology.ErrInvalid, "unknown exchange type")
}
