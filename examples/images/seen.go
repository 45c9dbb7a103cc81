package main

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/use"
	useredis "github.com/bunnicula-go/bunnicula/use/redis"
)

// NewSeen makes the store of what was done within the last hour. In the memory of a process it
// knows what this process has done: a duplicate that comes to another worker is painted again,
// which costs time and changes nothing. In Redis all workers know it. The price is that a picture
// whose worker has died waits until the lease of its claim has ended.
func NewSeen(lc fx.Lifecycle, o Options) (use.Store, error) {
	if o.Redis == "" {
		return use.NewMemory(100_000)
	}
	client := redis.NewClient(&redis.Options{Addr: o.Redis})
	lc.Append(fx.StopHook(client.Close))
	return useredis.NewStore(client, useredis.StoreConfig{})
}

// reachRedis says whether the Redis is there. Workers that do not reach it put off every picture.
func reachRedis(ctx context.Context, o Options) error {
	if o.Redis == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client := redis.NewClient(&redis.Options{Addr: o.Redis, MaxRetries: -1})
	defer func() { _ = client.Close() }()
	if err := client.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("-redis %s: %w", o.Redis, err)
	}
	return nil
}
