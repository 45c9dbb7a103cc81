package consumer_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// many is more than start at once.
const many = 40

func groupOf(t *testing.T, newOne func(i int) *consumer.Consumer) *consumer.Group {
	t.Helper()
	var all []*consumer.Consumer
	for i := range many {
		all = append(all, newOne(i))
	}
	g, err := consumer.NewGroup(all...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestAGroupOfManyStartsAndStopsAllOfThem(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var queues []string
	g := groupOf(t, func(int) *consumer.Consumer {
		queues = append(queues, amqptest.Queue(t, "many", "-retry-1s"))
		return r.make(consumer.Spec{Queue: queues[len(queues)-1], Backoff: []time.Duration{time.Second}, Handler: always(consumer.Ack())})
	})
	if err := g.Start(r.ctx); err != nil {
		t.Fatal(err)
	}
	if !g.Ready() {
		t.Errorf("not all are ready: %+v", g.Health())
	}
	for _, queue := range queues {
		r.publish(queue, "x")
	}
	r.outcomes(many)
	if err := g.Stop(r.ctx); err != nil {
		t.Error(err)
	}
}

func TestAGroupOfManyWhoseBrokerIsNotThereGivesUpInTime(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	conn, err := connection.New(connection.Config{URL: "amqp://127.0.0.1:1", Name: "nobody"}, log)
	if err != nil {
		t.Fatal(err)
	}
	g := groupOf(t, func(i int) *consumer.Consumer {
		c, err := consumer.New(conn, consumer.Spec{Queue: fmt.Sprintf("q%d", i), Handler: always(consumer.Ack())}, nil, log)
		if err != nil {
			t.Fatal(err)
		}
		return c
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	began := time.Now()
	err = g.Start(ctx)
	if err == nil || !strings.Contains(err.Error(), "refused") || strings.Count(err.Error(), "start:") > many {
		t.Errorf("the error is %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	stop, cancelStop := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancelStop()
	if err := conn.Stop(stop); err != nil {
		t.Error(err)
	}
}
