package sending_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// Nothing but time has passed: the broker has all that it was sent, and answers.
func TestABrokerThatIsFrozenForAWhileGetsNothingTwice(t *testing.T) {
	amqptest.Long(t)
	broker := amqptest.StartBroker(t)
	ch, err := amqptest.DialURL(t, broker.URL).Channel()
	if err != nil {
		t.Fatal(err)
	}
	var queues []string
	for i := range 10 {
		kind := [...]string{"quorum", "classic"}[i%2]
		queues = append(queues, fmt.Sprint(kind, "-", i))
		if _, err := ch.QueueDeclare(queues[i], true, false, false, false, amqp.Table{"x-queue-type": kind}); err != nil {
			t.Fatal(err)
		}
	}
	conn, err := connection.New(connection.Config{URL: broker.URL}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Stop(context.Background()) })
	p := newPipeline(t, conn)

	over := make(chan struct{})
	var callers sync.WaitGroup
	for i := range 32 {
		callers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-over:
					return
				case <-time.After(10 * time.Millisecond):
				}
				if err := p.Send(t.Context(), envelope(queues[i%len(queues)], fmt.Sprint(i, "-", n))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for _, frozen := range []time.Duration{time.Second, 1500 * time.Millisecond, 2 * time.Second} {
		time.Sleep(time.Second)
		broker.Freeze()
		time.Sleep(frozen)
		broker.Thaw()
	}
	time.Sleep(time.Second)
	close(over)
	callers.Wait()

	all, twice := map[string]bool{}, 0
	for _, queue := range queues {
		for d, ok, err := ch.Get(queue, true); ok || err != nil; d, ok, err = ch.Get(queue, true) {
			if err != nil {
				t.Fatal(err)
			}
			if all[d.MessageId] {
				twice++
			}
			all[d.MessageId] = true
		}
	}
	t.Logf("%d messages", len(all))
	if twice > 0 {
		t.Errorf("%d messages are there twice", twice)
	}
}
