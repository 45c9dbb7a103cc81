package browsertest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// work is how one consumer of the shop handles its messages.
type work struct {
	queue string
	rate  float64 // messages a second that are published
	limit int     // handlers at once
	takes time.Duration
	fails float64 // the share of messages that are retried
}

var errRefused = errors.New("payment service: dial tcp 10.20.0.7:8443: connect: connection refused")

// handle is the handler. Each tenth of the orders that were redriven fails in another way.
func (w work) handle(ctx context.Context, d consumer.Delivery) consumer.Result {
	takes := w.takes/2 + rand.N(w.takes)
	select {
	case <-time.After(takes):
	case <-ctx.Done():
	}
	if n, is := strings.CutPrefix(d.MessageID, "order-"); is {
		if strings.HasSuffix(n, "7") {
			return consumer.Error(errors.New("payment service: the card has expired"))
		}
		return consumer.Ack()
	}
	if rand.Float64() < w.fails {
		return consumer.Retry(errRefused)
	}
	return consumer.Ack()
}

// openShop runs the shop's consumers, and publishes what they handle, until the test ends.
func openShop(t testing.TB, url string, works ...work) *consumer.Group {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	conn, err := connection.New(connection.Config{URL: url, Name: "shop", Version: "1.42.0"}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	var all []*consumer.Consumer
	for _, w := range works {
		if w.limit == 0 {
			continue // nobody consumes
		}
		c, err := consumer.New(conn, consumer.Spec{
			Queue: w.queue, Handler: w.handle, Concurrency: w.limit, MaxRetries: 8, Delays: delays, Backoff: delays, Timeout: time.Minute,
		}, monitoring.Log{}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	group, err := consumer.NewGroup(all...)
	if err != nil {
		t.Fatal(err)
	}
	agent, err := control.NewAgent(conn, control.AgentConfig{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	group.Oversee(agent)
	if err := agent.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := group.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop := publishAll(t, url, works)
	t.Cleanup(func() {
		stop()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = group.Stop(ctx)
		_ = agent.Stop(ctx)
		_ = conn.Stop(ctx)
	})
	return group
}

// publishAll publishes at the rates until stop is called.
func publishAll(t testing.TB, url string, works []work) (stop func()) {
	t.Helper()
	conn, err := amqp.DialConfig(url, amqp.Config{Properties: amqp.Table{"connection_name": "shop website"}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var publishers sync.WaitGroup
	for _, w := range works {
		if w.rate == 0 {
			continue
		}
		ch, err := conn.Channel()
		if err != nil {
			t.Fatal(err)
		}
		publishers.Go(func() {
			tick := time.NewTicker(time.Duration(float64(time.Second) / w.rate))
			defer tick.Stop()
			for n := 0; ctx.Err() == nil; n++ {
				_ = ch.PublishWithContext(ctx, "", w.queue, false, false, amqp.Publishing{
					MessageId: fmt.Sprintf("%s-%d", w.queue, 310_000+n), Timestamp: time.Now(), Body: fmt.Appendf(nil, `{"order":%d}`, 310_000+n),
				})
				select {
				case <-tick.C:
				case <-ctx.Done():
				}
			}
		})
	}
	return func() {
		cancel()
		publishers.Wait()
		_ = conn.Close()
	}
}
