package redis_test

import (
	"context"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/use"
	"github.com/bunnicula-go/bunnicula/use/redis"
)

// workerVar makes the test binary a consumer of the order that it has, instead of running tests.
const workerVar = "BUNNICULA_TEST_WORKER"

// order is what such a process does: it handles the messages of a queue with a limit.
type order struct {
	URL, Queue, Redis string
	Keyed             bool // by RatePerKey with one key, and otherwise by Rate
	Limit             use.Limit
	Concurrency       int
}

// Lines that a worker writes.
const (
	startLine   = "start"   // message id, nanoseconds since 1970
	snoozedLine = "snoozed" // message id, error
)

func (o order) work(ctx context.Context) error {
	return runConsumer(ctx, o.URL, o.Redis, teller{}, func(client *goredis.Client) (consumer.Spec, error) {
		limiter, err := redis.New(client, redis.Config{Limit: o.Limit, Prefix: o.Queue + ":"})
		limited := use.Rate(limiter)
		if o.Keyed {
			limited = use.RatePerKey(limiter, func(consumer.Delivery) string { return "tenant" })
		}
		return consumer.Spec{
			Queue: o.Queue, Concurrency: o.Concurrency, Delays: topology.Ladder, Use: []consumer.Middleware{limited},
			Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
				fmt.Println(startLine, d.MessageID, time.Now().UnixNano())
				return consumer.Ack()
			},
		}, err
	})
}

// teller is a Monitor that writes a line for each snooze.
type teller struct{}

func (teller) Begin(ctx context.Context, _ monitoring.Delivery) context.Context { return ctx }

func (teller) End(_ context.Context, d monitoring.Delivery, o monitoring.Outcome) {
	if o.Action == monitoring.Snoozed {
		fmt.Println(snoozedLine, d.MessageID, o.Err)
	}
}
