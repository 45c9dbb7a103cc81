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

// A channel that has published to the queue before gets no confirms of it; a fresh one waits for
// it, for a minute at each message.
func TestAQueueWithoutMajorityHoldsUpNobody(t *testing.T) {
	amqptest.Long(t)
	cluster := amqptest.StartCluster(t)
	conn, err := connection.New(connection.Config{URL: cluster.URLs()[0]}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Stop(context.Background()) })
	ch, err := conn.Channel(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for queue, kind := range map[string]string{"stuck": "quorum", "fine": "classic"} {
		if _, err := ch.QueueDeclare(queue, true, false, false, false, amqp.Table{"x-queue-type": kind}); err != nil {
			t.Fatal(err)
		}
	}
	met, fresh := newPipeline(t, conn), newPipeline(t, conn)
	for _, queue := range []string{"fine", "stuck"} {
		if err := met.Send(t.Context(), envelope(queue, "first")); err != nil {
			t.Fatal(err)
		}
	}
	for _, node := range cluster.Nodes {
		node.Settle()
	}
	cluster.Nodes[1].Kill()
	cluster.Nodes[2].Kill()
	time.Sleep(5 * time.Second) // until the first node knows

	for name, p := range map[string]*sending.Pipeline{"met": met, "fresh": fresh} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			var all sync.WaitGroup
			defer all.Wait()
			defer cancel()
			for i := range 3 {
				all.Go(func() { _ = p.Send(ctx, envelope("stuck", fmt.Sprint(name, i))) })
			}
			time.Sleep(time.Second)
			within(t, p, "fine", 5*time.Second)
			within(t, p, "fine", time.Second)
			bad := envelope("fine", "bad")
			bad.UserId = "somebody-else"
			began := time.Now()
			err := p.Send(t.Context(), bad)
			var refused *sending.RefusedError
			if took := time.Since(began); !errors.As(err, &refused) || took > 10*time.Second {
				t.Errorf("the refused one after %s: %v", took, err)
			}
			within(t, p, "fine", 5*time.Second)
		})
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

func within(t *testing.T, p *sending.Pipeline, queue string, limit time.Duration) {
	t.Helper()
	began := time.Now()
	err := p.Send(t.Context(), envelope(queue, "healthy"))
	took := time.Since(began)
	if err != nil || took > limit {
		t.Errorf("to a queue that works: %v after %s, want at most %s", err, took, limit)
	}
	t.Logf("a healthy publish took %s", took.Round(time.Millisecond))
}
