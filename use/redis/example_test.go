package redis_test

import (
	"context"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/use"
	"github.com/bunnicula-go/bunnicula/use/redis"
)

// An API takes 50 requests in a second from each tenant, and 200 from a large one. All processes
// that use the same Redis keep to that together.
func Example() {
	client := goredis.NewClient(&goredis.Options{Addr: "localhost:6379", DialerRetries: 1})
	defer func() { _ = client.Close() }() // when the consumers have stopped

	tenants, err := redis.New(client, redis.Config{
		LimitFor: func(tenant string) use.Limit {
			if tenant == "umbrella" {
				return use.Limit{Events: 200}
			}
			return use.Limit{Events: 50}
		},
		Prefix: "payments:limit:",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	spec := consumer.Spec{
		Queue: "payments", Concurrency: 50, Delays: topology.Ladder,
		Use: []consumer.Middleware{
			use.RatePerKey(tenants, func(d consumer.Delivery) string { return d.AppID }),
		},
		Handler: func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() },
	}
	_, err = consumer.New(nil, spec, nil, nil)
	fmt.Println(err)
	// Output: <nil>
}

// A Config that is wrong is an error that names the field.
func ExampleNew() {
	client := goredis.NewClient(&goredis.Options{Addr: "localhost:6379"})
	defer func() { _ = client.Close() }()
	_, err := redis.New(client, redis.Config{Limit: use.Limit{Events: 0}})
	fmt.Println(err)
	// Output: redis limiter: Config.Limit: use: Limit.Events is 0, want 1 or more
}

// A message is handled once although several processes get copies of it.
func ExampleNewStore() {
	client := goredis.NewClient(&goredis.Options{Addr: "localhost:6379", DialerRetries: 1})
	defer func() { _ = client.Close() }() // when the consumers have stopped

	seen, err := redis.NewStore(client, redis.StoreConfig{Prefix: "shop:"}) // of this virtual host
	if err != nil {
		fmt.Println(err)
		return
	}
	spec := consumer.Spec{
		Queue: "payments", Delays: topology.Ladder,
		Use:     []consumer.Middleware{use.Dedupe(seen, time.Hour)},
		Handler: func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() },
	}
	_, err = consumer.New(nil, spec, nil, nil)
	fmt.Println(err)
	// Output: <nil>
}
