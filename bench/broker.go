package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/bench/turn"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/topology"
)

// broker holds the queues of the benchmark.
type broker struct {
	url     string // of one node
	version string
	pids    []int // of all nodes; none if one is unknown

	mu   sync.Mutex
	conn *amqp.Connection // with redials it
}

// openBroker takes the URL of a broker, or the URLs of a cluster's nodes, separated by commas. The
// benchmark uses the first node; it asks the others only for their process ids.
func openBroker(urls string) (*broker, error) {
	var b *broker
	var pids []int
	for url := range strings.SplitSeq(urls, ",") {
		node := &broker{url: url}
		if err := node.dial(); err != nil {
			return nil, err
		}
		if pid := findBroker(node.conn.RemoteAddr()); pid != 0 {
			pids = append(pids, pid)
		}
		if b == nil {
			b = node
		} else {
			node.close()
		}
	}
	b.version, _ = b.conn.Properties["version"].(string)
	if len(pids) == 1+strings.Count(urls, ",") {
		b.pids = pids
	}
	return b, nil
}

func (b *broker) dial() error {
	conn, err := amqp.DialConfig(b.url, amqp.Config{Heartbeat: 10 * time.Second, Properties: amqp.Table{"connection_name": "bench"}})
	if err != nil {
		// The client's errors have no password.
		return fmt.Errorf("dial the broker (AMQP_URL, or -url): %w", err)
	}
	b.conn = conn
	return nil
}

func (b *broker) close() { _ = b.conn.CloseDeadline(time.Now().Add(5 * time.Second)) }

// with calls f with a channel that only f uses.
func (b *broker) with(f func(*amqp.Channel) error) error {
	ch, err := b.channel()
	if err != nil {
		return err
	}
	return errors.Join(f(ch), closed(ch.Close()))
}

func (b *broker) channel() (*amqp.Channel, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conn.IsClosed() {
		if err := b.dial(); err != nil {
			return nil, err
		}
	}
	return b.conn.Channel()
}

func closed(err error) error {
	if errors.Is(err, amqp.ErrClosed) {
		return nil
	}
	return err
}

// newQueue returns a name that no other queue has.
func newQueue() string { return "bench-" + strings.ToLower(rand.Text()[:10]) }

// topologyFor returns the topology that a side uses.
func topologyFor(v variant, side, queue string) (topology.Topology, error) {
	t, err := topologyOf(v, queue)
	if change := v.Arguments[side]; err == nil && change != nil {
		change(&t)
	}
	return t, err
}

// topologyOf returns the topology of a consumer of this library.
func topologyOf(v variant, queue string) (topology.Topology, error) {
	nothing := func(context.Context, consumer.Delivery) consumer.Result { return consumer.Ack() }
	c, err := consumer.New(nil, consumer.Spec{Queue: queue, QueueType: v.QueueType, Backoff: v.Backoff, Handler: nothing}, nil, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		return topology.Topology{}, err
	}
	return c.Topology(), nil
}

func (b *broker) declare(all ...topology.Topology) error {
	return inTurns(all, func(t topology.Topology) error {
		return b.with(func(ch *amqp.Channel) error { return t.Declare(ch) })
	})
}

// remove deletes all queues. It goes on if one cannot be deleted.
func (b *broker) remove(all ...topology.Topology) error {
	var names []string
	for _, t := range all {
		names = append(names, t.Names()...)
	}
	return inTurns(names, func(name string) error {
		return b.with(func(ch *amqp.Channel) error {
			_, err := ch.QueueDelete(name, false, false, false)
			return err
		})
	})
}

// preload publishes messages to a queue, on several channels at once.
func (b *broker) preload(ctx context.Context, queue string, body []byte, messages int) error {
	const channels = 4
	var filling sync.WaitGroup
	errs := make([]error, channels)
	for i := range channels {
		share := messages / channels
		if i < messages%channels {
			share++
		}
		filling.Go(func() {
			errs[i] = func() error {
				ch, err := openConfirming(b.conn)
				if err != nil {
					return err
				}
				err = ch.pipeline(ctx, queue, body, int64(share), window, func() {})
				return errors.Join(err, closed(ch.Close()))
			}()
		})
	}
	filling.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("fill queue %s: %w", queue, err)
	}
	return nil
}

// rest waits for the broker to finish the work of earlier messages: until it uses less than a tenth
// of a core, for at most three seconds.
func (b *broker) rest(ctx context.Context) {
	const look, patience = 100 * time.Millisecond, 3 * time.Second
	before, known := turn.ProcessCPU(b.pids)
	if !known {
		backoff.Wait(ctx, 5*look)
		return
	}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if !backoff.Wait(ctx, look) {
			return
		}
		now, _ := turn.ProcessCPU(b.pids)
		if now-before < look/10 {
			return
		}
		before = now
	}
}

// depth waits until so many messages are ready in the queue, or a few more. The broker updates its
// counts a little after it answers.
func (b *broker) depth(ctx context.Context, queue string, want, more int) error {
	got := 0
	for end := time.Now().Add(5 * time.Second); ; {
		err := b.with(func(ch *amqp.Channel) error {
			q, err := ch.QueueDeclarePassive(queue, true, false, false, false, nil)
			got = q.Messages
			return err
		})
		if err != nil || got >= want && got <= want+more {
			return err
		}
		if time.Now().After(end) || !backoff.Wait(ctx, 50*time.Millisecond) {
			return fmt.Errorf("%d messages are in the queue afterwards, want %d", got, want)
		}
	}
}
