package redis_test

import (
	"context"
	"fmt"
	"os"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/use"
	"github.com/bunnicula-go/bunnicula/use/redis"
)

// mortalVar makes the test binary a consumer of the life that it has, instead of running tests.
const mortalVar = "BUNNICULA_TEST_MORTAL"

// life is what such a process does: it handles the messages of a queue, each once, and dies at a
// step of one of them.
type life struct {
	URL, Queue, Redis string
	Dies              step
	Over              string        // the message id
	Takes             time.Duration // a handler of any other message
	Timeout           time.Duration // Spec.Timeout
}

// step is where a process dies.
type step string

const (
	never       step = ""
	beforeClaim step = "before the claim"
	afterClaim  step = "after the claim"
	inHandler   step = "in the handler, before its work"
	afterWork   step = "in the handler, after its work"
	beforeMark  step = "before the mark"
	afterMark   step = "after the mark"
	atAck       step = "when the ack is sent"
)

// Lines that a mortal writes: both with the message id.
const (
	workedLine = "worked" // the work of a message is done
	ackedLine  = "acked"
)

const deathCode = 9

// spec is the same in the test and in its processes.
func (l life) spec(m ...consumer.Middleware) consumer.Spec {
	return consumer.Spec{
		Queue: l.Queue, Concurrency: 8, Prefetch: 8, Delays: topology.Ladder, Backoff: topology.Ladder[:1], Timeout: l.Timeout, Grace: 100 * time.Millisecond,
		Use: m, Handler: l.handle,
	}
}

func (l life) live(ctx context.Context) error {
	return runConsumer(ctx, l.URL, l.Redis, dying{l}, func(client *goredis.Client) (consumer.Spec, error) {
		store, err := redis.NewStore(client, redis.StoreConfig{Prefix: l.Queue + ":"})
		return l.spec(l.first, use.Dedupe(mortal{store, l}, time.Hour)), err
	})
}

// at ends the process, as kill -9 does, if that is the step.
func (l life) at(s step, key string) {
	if l.Dies == s && (key == l.Over || key == l.Queue+":"+l.Over) {
		os.Exit(deathCode)
	}
}

func (l life) first(next consumer.Handler) consumer.Handler {
	return func(ctx context.Context, d consumer.Delivery) consumer.Result {
		l.at(beforeClaim, d.MessageID)
		return next(ctx, d)
	}
}

func (l life) handle(_ context.Context, d consumer.Delivery) consumer.Result {
	l.at(inHandler, d.MessageID)
	time.Sleep(l.Takes)
	fmt.Println(workedLine, d.MessageID)
	l.at(afterWork, d.MessageID)
	return consumer.Ack()
}

// mortal is a Store around which the process dies.
type mortal struct {
	use.Store
	life life
}

func (m mortal) Claim(ctx context.Context, key, token string, lease time.Duration) (use.Claim, error) {
	c, err := m.Store.Claim(ctx, key, token, lease)
	if c.State == use.ClaimNew {
		m.life.at(afterClaim, key)
	}
	return c, err
}

func (m mortal) Settle(ctx context.Context, key, token string, done bool, keep time.Duration) error {
	m.life.at(beforeMark, key)
	err := m.Store.Settle(ctx, key, token, done, keep)
	m.life.at(afterMark, key)
	return err
}

// dying is a Monitor. An ack is sent about when its End is called: before or after that.
type dying struct{ life life }

func (dying) Begin(ctx context.Context, _ monitoring.Delivery) context.Context { return ctx }

func (m dying) End(_ context.Context, d monitoring.Delivery, o monitoring.Outcome) {
	m.life.at(atAck, d.MessageID)
	if o.Action == monitoring.Acked {
		fmt.Println(ackedLine, d.MessageID)
	}
}
