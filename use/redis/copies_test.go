package redis_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/redistest"
	"github.com/bunnicula-go/bunnicula/use"
	"github.com/bunnicula-go/bunnicula/use/redis"
)

// delivered has copies of messages handled, one after the other.
type delivered struct {
	t    *testing.T
	h    consumer.Handler
	runs map[string]int
}

func newDelivered(t *testing.T, client goredis.Scripter, cfg redis.StoreConfig) *delivered {
	t.Helper()
	s, err := redis.NewStore(client, cfg)
	if err != nil {
		t.Fatal(err)
	}
	c := &delivered{t: t, runs: map[string]int{}}
	c.h = use.Dedupe(s, time.Hour)(func(_ context.Context, d consumer.Delivery) consumer.Result {
		c.runs[d.MessageID]++
		return consumer.Ack()
	})
	return c
}

func (c *delivered) deliver(id string) consumer.Result {
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	return c.h(ctx, consumer.Delivery{Queue: "orders", MessageID: id})
}

func TestNothingIsHandledWhileTheStoreHasTroubleAndAllAfterwards(t *testing.T) {
	amqptest.Long(t)
	for name, test := range redis.Troubles {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, "appendonly yes", "appendfsync always")
			c := newDelivered(t, server.Client(t), redis.StoreConfig{Timeout: 500 * time.Millisecond})
			if r := c.deliver("m0"); !r.Acked() {
				t.Fatalf("the first message comes to %v", r)
			}
			test.Trouble(server, "bunnicula:dedupe:orders:m1")
			began := time.Now()
			r := c.deliver("m1")
			if took := time.Since(began); took > time.Second {
				t.Errorf("it took %s", took)
			}
			if !r.Snoozed() || r.Err() == nil {
				t.Fatalf("the message comes to %v", r)
			}
			for _, want := range []string{"the store of use.Dedupe: redis store: Redis<" + server.Addr + " db:0>: ", test.Want} {
				if !strings.Contains(r.Err().Error(), want) {
					t.Errorf("the error is %q, want %q in it", r.Err(), want)
				}
			}
			c.deliver("m0")
			test.End(server, "bunnicula:dedupe:orders:m1")
			for _, id := range []string{"m0", "m1", "m1"} {
				amqptest.Eventually(t, 5*time.Second, func() bool { return c.deliver(id).Acked() }, "it has not recovered")
			}
			if c.runs["m0"] != 1 || c.runs["m1"] != 1 {
				t.Errorf("the messages are handled %v, want once each", c.runs)
			}
		})
	}
}

func TestMarksLastAsLongAsRedisKeepsThem(t *testing.T) {
	amqptest.Long(t)
	again := func(s *redistest.Server) { s.Kill(); s.Start() }
	for name, test := range map[string]struct {
		options []string
		trouble func(s *redistest.Server)
		want    int
	}{
		"killed, with a log of what it knows": {[]string{"appendonly yes", "appendfsync always"}, again, 1},
		"killed, and it keeps nothing":        {nil, again, 2},
		"flushed":                             {nil, (*redistest.Server).Flush, 2},
		"the script is forgotten":             {nil, func(s *redistest.Server) { s.Do("SCRIPT", "FLUSH") }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, test.options...)
			c := newDelivered(t, server.Client(t), redis.StoreConfig{})
			c.deliver("m1")
			test.trouble(server)
			amqptest.Eventually(t, 5*time.Second, func() bool { return c.deliver("m1").Acked() }, "it is not acked")
			if c.runs["m1"] != test.want {
				t.Errorf("the message is handled %d times, want %d", c.runs["m1"], test.want)
			}
		})
	}
}

func TestAClusterTakesEveryKeyOfAStore(t *testing.T) {
	amqptest.Long(t)
	server := redistest.Start(t, "cluster-enabled yes")
	server.Do("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
	client := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: []string{server.Addr}})
	defer func() { _ = client.Close() }()
	amqptest.Eventually(t, 10*time.Second, func() bool {
		return strings.Contains(fmt.Sprint(server.Do("CLUSTER", "INFO")), "cluster_state:ok")
	}, "the cluster is not ready")
	c := newDelivered(t, client, redis.StoreConfig{Timeout: 5 * time.Second})
	for _, id := range []string{"m1", "a{b}c", "{}", "\x00", strings.Repeat("long", 60)} {
		for range 2 {
			if r := c.deliver(id); !r.Acked() || c.runs[id] != 1 {
				t.Errorf("%.10q comes to %v in %d runs", id, r, c.runs[id])
			}
		}
	}
}
