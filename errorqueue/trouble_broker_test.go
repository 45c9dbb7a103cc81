package errorqueue

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

func TestARedriveGoesOnWhenTheConnectionIsLost(t *testing.T) {
	eachKind(t, func(t *testing.T, queue string) {
		const n, window, cuts = 600, 10, 3
		park(t, queue, n)
		proxy := amqptest.NewProxy(t, amqptest.URL(t))
		conn, err := connection.New(connection.Config{URL: proxy.URL(), Name: "errorqueue-test", MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Second)
		defer cancel()
		defer func() { _ = conn.Stop(ctx) }()
		q, err := Open(ctx, conn, Config{Queue: queue, Wait: 20 * time.Second}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		defer q.Close(ctx)
		cut := 0
		report, err := q.Redrive(ctx, RedriveOptions{All: true, Window: window, Rate: 400, Progress: func(p Progress) {
			if cut < cuts && p.Moved > 100*(cut+1) {
				cut++
				proxy.Cut()
			}
		}})
		if err != nil || cut != cuts || report.Rounds < 2 || report.MaybeTwice > cuts*window {
			t.Errorf("%d cuts: %v, %+v", cut, err, report)
		}
		if depth := amqptest.Depth(t, q.Name()); depth != 0 {
			t.Errorf("%d messages are parked still", depth)
		}
		seen := map[string]int{}
		for _, d := range empty(t, queue) {
			seen[d.MessageId]++
		}
		twice := 0
		for _, times := range seen {
			twice += times - 1
		}
		if len(seen) != n || twice > 2*cuts*window { // the sender may send once more what it has no confirm of
			t.Errorf("%d of %d messages are there, %d twice", len(seen), n, twice)
		}
		t.Logf("%d cuts, %d rounds, %d duplicates", cuts, report.Rounds, twice)
	})
}

func TestAMessageThatTheClientCannotReadEndsAListAndNothingElse(t *testing.T) {
	queue := declare(t, topology.Quorum)
	const n = 60
	deep := amqp.Table{"end": "here"}
	for range 40 {
		deep = amqp.Table{"t": deep}
	}
	fill(t, queue+"-error", n, func(i int) amqp.Publishing {
		if i == 40 {
			return amqp.Publishing{Headers: deep, DeliveryMode: amqp.Persistent}
		}
		return parked(queue, i)
	})
	conn := connect(t)
	shared, err := conn.Consuming().Session(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	q, err := Open(t.Context(), conn, Config{Queue: queue}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close(context.Background())
	seen, last := 0, error(nil)
	for _, err := range q.List(t.Context(), ListOptions{}) {
		if last = err; err == nil {
			seen++
		}
	}
	if !errors.Is(last, connection.ErrUnreadable) || seen == 0 || seen > 40 {
		t.Errorf("after %d messages: %v", seen, last)
	}
	if report, err := q.Redrive(t.Context(), RedriveOptions{All: true}); !errors.Is(err, connection.ErrUnreadable) || report.Moved != 0 {
		t.Errorf("redrive: %v, %+v", err, report)
	}
	if report := redriveOK(t, q, RedriveOptions{All: true, Limit: 10}); report.Moved != 10 {
		t.Errorf("of those before it: %+v", report)
	}
	if shared.Err() != nil {
		t.Errorf("it ended the connection that consumers share: %v", shared.Err())
	}
	amqptest.Eventually(t, 10*time.Second, func() bool { return amqptest.Depth(t, q.Name()) == n-10 }, "not all is back")
}
