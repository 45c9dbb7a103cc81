package redis_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/internal/test/redistest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/monitoringtest"
	"github.com/bunnicula-go/bunnicula/use"
	"github.com/bunnicula-go/bunnicula/use/redis"
)

// some is how many messages are published before a trouble, and how many during it.
const some = 20

func TestNoMessageIsLostOrHandledWhileRedisHasTrouble(t *testing.T) {
	amqptest.Long(t)
	for name, test := range map[string]struct {
		keyed   bool
		options []string
		trouble func(s *redistest.Server, key string)
		end     func(s *redistest.Server, key string)
		want    string // in the errors of the messages that come meanwhile; "" is nothing
	}{
		"stopped": {
			keyed: true, want: "connection refused", options: []string{"appendonly yes"},
			trouble: func(s *redistest.Server, _ string) { s.Stop() }, end: func(s *redistest.Server, _ string) { s.Start() },
		},
		"killed": {
			want:    "connection refused",
			trouble: func(s *redistest.Server, _ string) { s.Kill() }, end: func(s *redistest.Server, _ string) { s.Start() },
		},
		"frozen": {
			keyed: true, want: "no answer within",
			trouble: func(s *redistest.Server, _ string) { s.Freeze() }, end: func(s *redistest.Server, _ string) { s.Thaw() },
		},
		"slow": {
			want:    "no answer within",
			trouble: func(s *redistest.Server, _ string) { s.Slow(4 * time.Second) }, end: func(*redistest.Server, string) {},
		},
		"a key of another type": {
			keyed: true, want: "WRONGTYPE",
			trouble: func(s *redistest.Server, key string) { s.Do("SET", key, "x") },
			end:     func(s *redistest.Server, key string) { s.Do("DEL", key) },
		},
		"restarted and empty": {
			keyed:   true,
			trouble: func(s *redistest.Server, _ string) { s.Kill(); s.Start() }, end: func(*redistest.Server, string) {},
		},
		"restarted with what it knew": {
			keyed: true, options: []string{"appendonly yes", "appendfsync always"},
			trouble: func(s *redistest.Server, _ string) { s.Kill(); s.Start() }, end: func(*redistest.Server, string) {},
		},
		"flushed": {
			keyed:   true,
			trouble: func(s *redistest.Server, _ string) { s.Flush() }, end: func(s *redistest.Server, _ string) { s.Flush() },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, test.options...)
			queue := amqptest.Queue(t, "redis")
			c := consume(t, queue, server, test.keyed)
			publish(t, queue, 0, some)
			c.handles(some)
			test.trouble(server, queue+":"+c.key)
			publish(t, queue, some, some)
			if test.want != "" {
				amqptest.Eventually(t, 20*time.Second, func() bool { return c.snoozedBy("redis limiter: Redis<"+server.Addr+" db:0>: ", test.want) >= some },
					"fewer than %d messages snooze with an error of %q", some, test.want)
				if n := c.handled(); n != some {
					t.Errorf("%d messages are handled meanwhile", n-some)
				}
			}
			test.end(server, queue+":"+c.key)
			c.handles(2 * some)
			c.stop()
			for _, o := range c.seen.Outcomes() {
				if o.Action != monitoring.Acked && o.Action != monitoring.Snoozed {
					t.Errorf("a message is %s: %v", o.Action, o.Err)
				}
			}
			for _, name := range []string{queue, queue + "-retry-1s", queue + "-error"} {
				if n := amqptest.Depth(t, name); n > 0 {
					t.Errorf("%d messages are in %s", n, name)
				}
			}
		})
	}
}

// consuming is a consumer with a limit of 50 in a second.
type consuming struct {
	t    *testing.T
	key  string
	seen monitoringtest.Recorder
	stop func()

	mu  sync.Mutex
	ids map[string]int // how often each message was handled
}

func consume(t *testing.T, queue string, server *redistest.Server, keyed bool) *consuming {
	t.Helper()
	c := &consuming{t: t, ids: map[string]int{}}
	limiter, err := redis.New(server.Client(t), redis.Config{
		Limit: use.Limit{Events: 50}, Prefix: queue + ":", Timeout: 500 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	limited := use.Rate(limiter)
	if keyed {
		c.key = "tenant"
		limited = use.RatePerKey(limiter, func(consumer.Delivery) string { return c.key })
	}
	worker, err := consumer.New(connecttest.New(t, connection.Config{}), consumer.Spec{
		Queue: queue, Concurrency: 8, Backoff: []time.Duration{time.Second}, Use: []consumer.Middleware{limited}, Handler: c.handle,
	}, &c.seen, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.stop = sync.OnceFunc(func() {
		if err := worker.Stop(connecttest.Soon(t)); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(c.stop)
	return c
}

func (c *consuming) handle(_ context.Context, d consumer.Delivery) consumer.Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids[d.MessageID]++
	return consumer.Ack()
}

// handled returns how many handlers there were.
func (c *consuming) handled() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, times := range c.ids {
		n += times
	}
	return n
}

// handles waits until n messages are handled, each once.
func (c *consuming) handles(n int) {
	c.t.Helper()
	amqptest.Eventually(c.t, 30*time.Second, func() bool { return c.handled() >= n }, "not all %d messages are handled", n)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ids) != n {
		c.t.Errorf("%d messages are handled, want %d", len(c.ids), n)
	}
	for id, times := range c.ids {
		if times != 1 {
			c.t.Errorf("%s is handled %d times", id, times)
		}
	}
}

// snoozedBy counts the messages that snooze with an error that has all the texts.
func (c *consuming) snoozedBy(texts ...string) int {
	ids := map[string]bool{}
next:
	for _, e := range c.seen.Ends() {
		if e.Outcome.Action != monitoring.Snoozed || e.Outcome.Err == nil {
			continue
		}
		for _, text := range texts {
			if !strings.Contains(e.Outcome.Err.Error(), text) {
				continue next
			}
		}
		ids[e.Delivery.MessageID] = true
	}
	return len(ids)
}
