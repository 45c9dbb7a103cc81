package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/bench/turn"
	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
)

// childEnv is the environment variable with the order of a child: one of many processes that share
// the queue of a side. The side's process starts the children, and does nothing else.
//
// A child subscribes, and takes as many messages ahead as it may, but handles none yet. It prints
// a tally. When its stdin has a byte, it begins to handle messages, and prints its tally
// whenever that has changed. When its stdin is closed, it stops and ends.
const childEnv = "BUNNICULA_BENCH_CHILD"

// tally is what a child has done since it began.
type tally struct {
	Handled int64
	Last    time.Time     // when the last message was handled
	CPU     time.Duration // of the child's process
}

// tellEvery is how often a child prints its tally.
const tellEvery = 100 * time.Millisecond

// child is this process, if it is one.
type child struct {
	began   chan struct{} // closed when messages may be handled
	handled atomic.Int64
	last    atomic.Int64 // Unix nanoseconds
}

// wait waits until messages may be handled.
func (c *child) wait() { <-c.began }

// count counts a message that is handled.
func (c *child) count() {
	c.last.Store(time.Now().UnixNano())
	c.handled.Add(1)
}

// runChild runs a child of the side that the order names.
func runChild(text string) error {
	var o turn.Order
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return err
	}
	s, err := findSide(o)
	if err != nil {
		return err
	}
	c := &child{began: make(chan struct{})}
	ctx, cancel := o.Context()
	defer cancel()
	return s.child(ctx, &run{&turn.Run{Order: o}}, c, func() error { return c.obey(ctx, os.Stdin, os.Stdout) })
}

// obey runs while the child is subscribed.
func (c *child) obey(ctx context.Context, in io.Reader, out io.Writer) error {
	print := json.NewEncoder(out)
	if err := print.Encode(tally{}); err != nil {
		return err
	}
	n, err := in.Read(make([]byte, 1))
	before := turn.OwnCPU()
	close(c.began) // in any case: whoever waits for it must end
	if n == 0 {
		return fmt.Errorf("no word to begin: %w", err)
	}
	closed := make(chan struct{})
	go func() { // ends with stdin, at the latest when the parent dies
		_, _ = io.Copy(io.Discard, in)
		close(closed)
	}()
	told := int64(0)
	for tick := time.Tick(tellEvery); ; {
		select {
		case <-closed:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick:
		}
		handled := c.handled.Load()
		if handled == told {
			continue
		}
		told = handled
		if err := print.Encode(tally{handled, time.Unix(0, c.last.Load()), turn.OwnCPU() - before}); err != nil {
			return err
		}
	}
}

// childOurs is a consumer with nothing set.
func childOurs(ctx context.Context, r *run, c *child, f func() error) error {
	return r.connected(func(conn *connection.Connection) error {
		spec := r.spec(0, 0)
		spec.Handler = func(context.Context, consumer.Delivery) consumer.Result {
			c.wait()
			c.count()
			return consumer.Ack()
		}
		return r.consumeOn(ctx, conn, spec, nil, f)
	})
}

// childRaw is the usual loop of a raw client. It handles what it has before it closes its channel.
func childRaw(_ context.Context, r *run, c *child, f func() error) error {
	return r.dial(func(conn *amqp.Connection) error {
		ch, deliveries, err := r.subscribe(conn, 300, false)
		if err != nil {
			return err
		}
		var loop sync.WaitGroup
		loop.Go(func() {
			for d := range deliveries {
				c.wait()
				if d.Ack(false) == nil {
					c.count()
				}
			}
		})
		err = errors.Join(f(), ch.Cancel(consumerTag, false))
		loop.Wait()
		return errors.Join(err, ch.Close())
	})
}
