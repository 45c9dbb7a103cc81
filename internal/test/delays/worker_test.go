package delays

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
)

// workerVariable makes this test binary a worker. Its value is the queue.
const workerVariable = "BUNNICULA_DELAYS_WORKER"

// kind is by whom a message is delayed.
type kind string

const (
	byDelay  kind = "delay"  // its publisher
	byAt     kind = "at"     // its publisher
	byRetry  kind = "retry"  // its handler, in its first attempt
	bySnooze kind = "snooze" // its handler, as often as it is not due
)

func (k kind) isPublished() bool { return k == byDelay || k == byAt }

// order is the payload of a message.
type order struct {
	ID   string
	Kind kind
	Due  time.Time
}

// spec is that of a consumer on the Ladder.
func spec(queue string, handler consumer.Handler) consumer.Spec {
	return consumer.Spec{
		Queue: queue, Delays: topology.Ladder, Backoff: []time.Duration{time.Second}, MaxCrashes: 99,
		Concurrency: 16, Handler: handler,
	}
}

// handle acks a message that is due.
func handle(d consumer.Delivery, now time.Time) consumer.Result {
	var o order
	if err := json.Unmarshal(d.Body, &o); err != nil {
		return consumer.Error(err)
	}
	left := o.Due.Sub(now)
	switch {
	case o.Kind == byRetry && d.Attempt == 1 && left > 0:
		return consumer.RetryAfter(left, nil)
	case o.Kind == bySnooze && left > 0:
		return consumer.Snooze(left)
	}
	return consumer.Ack()
}

// asked says that the copy is confirmed which waits in place of a message.
var asked = monitoring.Callbacks{
	OnRetry: func(_ context.Context, d monitoring.Delivery, _ monitoring.Outcome) {
		fmt.Println("asked", d.MessageID)
	},
	OnSnooze: func(_ context.Context, d monitoring.Delivery, _ monitoring.Outcome) {
		fmt.Println("asked", d.MessageID)
	},
}

// work consumes the queue until the process is told to end.
func work(queue string) {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	must := func(err error) {
		if err != nil {
			fmt.Println("failed", err)
			os.Exit(1)
		}
	}
	log := slog.New(slog.DiscardHandler)
	conn, err := connection.New(connection.Config{
		URL: os.Getenv("AMQP_URL"), Name: "worker", MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond,
	}, log)
	must(err)
	c, err := consumer.New(conn, spec(queue, func(_ context.Context, d consumer.Delivery) consumer.Result {
		now := time.Now()
		fmt.Println("run", d.MessageID, now.UnixNano())
		return handle(d, now)
	}), asked, log)
	must(err)
	must(c.Start(ctx))
	fmt.Println("ready")
	<-ctx.Done()
	stop, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	must(c.Stop(stop))
	must(conn.Stop(stop))
}
