package sending_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// What ends the whole connection is refused before the wire, by Check. This goes around it:
// whatever a later broker may refuse in this way fails alone too, beside two Pipelines that share
// the connection.
func TestAMessageThatEndsTheConnectionFailsAlone(t *testing.T) {
	t.Parallel()
	queue := amqptest.Queue(t, "frame")
	if _, err := amqptest.Channel(t).QueueDeclare(queue, true, false, false, false, nil); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	conn, err := connection.New(connection.Config{URL: amqptest.URL(t)}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Stop(context.Background()) })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	const good = 40
	var all sync.WaitGroup
	for n := range 2 {
		s, err := sending.New(conn.Transport(), 32, log)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Stop(context.Background()) })
		for i := range good {
			all.Go(func() {
				env := sending.Envelope{RoutingKey: queue, Publishing: amqp.Publishing{MessageId: fmt.Sprint(n, "-", i), Body: []byte("good")}}
				if err := s.SendBuilt(ctx, env); err != nil {
					t.Errorf("a good message: %v", err)
				}
			})
		}
		all.Go(func() {
			env := sending.Envelope{RoutingKey: queue, Publishing: amqp.Publishing{Headers: amqp.Table{"h": strings.Repeat("x", 140_000)}, Body: []byte("bad")}}
			var refused *sending.RefusedError
			if err := s.SendBuilt(ctx, env); !errors.As(err, &refused) || refused.Code != amqp.FrameError {
				t.Errorf("the bad message: %v, want a refusal with code 501", err)
			}
		})
	}
	all.Wait()
	found := map[string]bool{}
	for _, d := range amqptest.Drain(t, queue) {
		found[d.MessageId] = string(d.Body) == "good"
	}
	if len(found) != 2*good {
		t.Errorf("%d messages are in the queue, want %d", len(found), 2*good)
	}
}
