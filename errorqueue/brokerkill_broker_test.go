package errorqueue

import (
	"context"
	"log/slog"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/topology"
)

// The broker is the test's own, because the test kills it.
func TestABrokerThatIsKilledDuringARedriveLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a broker")
	}
	broker := amqptest.StartBroker(t)
	const n, window = 3000, 50
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			queue := "errors-" + string(kind)
			topo, err := topology.New(topology.Plan{Queue: queue, Type: kind})
			if err != nil {
				t.Fatal(err)
			}
			ch := on(t, broker)
			if err := topo.Declare(ch); err != nil {
				t.Fatal(err)
			}
			publish(t, ch, queue+"-error", n, func(i int) amqp.Publishing { return parked(queue, i) })
			broker.Settle()
			// A new quorum queue may not survive a kill. That is the broker's fault.
			time.Sleep(3 * time.Second)

			conn, err := connection.New(connection.Config{URL: broker.URL, Name: "errorqueue-test", MinBackoff: 50 * time.Millisecond, MaxBackoff: time.Second}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
			defer cancel()
			defer func() { _ = conn.Stop(ctx) }()
			q, err := Open(ctx, conn, Config{Queue: queue, Wait: 30 * time.Second}, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer q.Close(ctx)
			back := make(chan struct{}) // closed when the broker is up again
			killed := false
			report, err := q.Redrive(ctx, RedriveOptions{All: true, Window: window, Rate: 500, Progress: func(p Progress) {
				if !killed && p.Moved > n/4 {
					killed = true
					broker.Kill()
					go func() {
						defer close(back)
						broker.Start()
					}()
				}
			}})
			if !killed {
				t.Fatalf("it ended before the kill: %+v, %v", report, err)
			}
			<-back
			if err != nil || report.Failed > 0 || report.Rounds < 2 {
				t.Errorf("redrive: %+v, %v", report, err)
			}
			ch = on(t, broker)
			seen := map[string]bool{}
			total := 0
			for _, id := range drain(t, ch, queue) {
				seen[id] = true
				total++
			}
			twice := total - len(seen)
			// A killed broker forgets the last acks. In a classic queue these may be all acks.
			if left := drain(t, ch, q.Name()); len(seen) != n || len(left) != 0 || kind == topology.Quorum && twice > 2*window {
				t.Errorf("%d of %d messages are in the main queue, %d are parked, %d are there twice", len(seen), n, len(left), twice)
			}
			t.Logf("the broker was killed at %d of %d: %d rounds, none lost, %d duplicates", n/4, n, report.Rounds, twice)
		})
	}
}

// on returns a channel to a broker, with confirms.
func on(t *testing.T, broker *amqptest.Broker) *amqp.Channel {
	t.Helper()
	ch, err := amqptest.DialURL(t, broker.URL).Channel()
	if err == nil {
		err = ch.Confirm(false)
	}
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// drain empties a queue, and returns the ids of its messages.
func drain(t *testing.T, ch *amqp.Channel, queue string) (ids []string) {
	t.Helper()
	for {
		d, ok, err := ch.Get(queue, true)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			return ids
		}
		ids = append(ids, d.MessageId)
	}
}
