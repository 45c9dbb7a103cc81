package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/pipeline"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// plant is a process with a pipeline and its consumers, which the test stops.
type plant struct {
	*pipeline.Pipeline
	t    *testing.T
	conn *connection.Connection
	stop func()
}

// newPlant makes a Pipeline, and starts it.
func newPlant(t *testing.T, conn *connection.Connection, cfg pipeline.Config) *plant {
	t.Helper()
	pub, err := publisher.New(conn, publisher.Config{}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	return newPlantWith(t, conn, pub, pub.Stop, cfg)
}

// newPlantWith is newPlant with another Publisher.
func newPlantWith(t *testing.T, conn *connection.Connection, pub publisher.Publisher, stopPub func(context.Context) error, cfg pipeline.Config) *plant {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = quiet()
	}
	bank, err := pipeline.New(conn, pub, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := bank.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := &plant{Pipeline: bank, t: t, conn: conn}
	p.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := errors.Join(bank.Stop(ctx), stopPub(ctx)); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(p.stop)
	return p
}

// consume starts a consumer, which ends before the Pipeline.
func (p *plant) consume(queue string, h consumer.Handler, change ...func(*consumer.Spec)) *consumer.Consumer {
	p.t.Helper()
	spec := consumer.Spec{Queue: queue, Handler: h, Concurrency: 4, MaxRetries: 3, Backoff: []time.Duration{100 * time.Millisecond}}
	for _, f := range change {
		f(&spec)
	}
	c, err := consumer.New(p.conn, spec, nil, quiet())
	if err != nil {
		p.t.Fatal(err)
	}
	if err := c.Start(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	stop := p.stop
	p.stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			p.t.Error(err)
		}
		stop()
	})
	p.t.Cleanup(p.stop)
	return c
}

// progress asks for it.
func (p *plant) progress(job string, opts ...pipeline.ProgressOption) pipeline.Progress {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	progress, err := p.Progress(ctx, job, opts...)
	if err != nil {
		p.t.Fatal(err)
	}
	return progress
}

// until watches a job until is returns true, and returns the progress then.
func (p *plant) until(job string, within time.Duration, is func(pipeline.Progress) bool) (last pipeline.Progress) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	for progress, err := range p.Watch(ctx, job) {
		if err != nil {
			p.t.Fatalf("after %s: %v", short(last), err)
		}
		if last = progress; is(last) {
			return last
		}
	}
	p.t.Fatalf("it is not so in the end: %s", short(last))
	return last
}

// short is a Progress for people: "accounts 3/3, saved 2/6".
func short(p pipeline.Progress) string {
	var all []string
	for _, s := range p.Stages {
		queue := s.Queue[strings.LastIndex(s.Queue, ".")+1:]
		text := fmt.Sprintf("%s %d/%d", queue, s.Done, s.Emitted)
		if s.Parked > 0 {
			text += fmt.Sprintf(" parked %d", s.Parked)
		}
		all = append(all, text)
	}
	if p.Complete {
		all = append(all, "complete")
	}
	return strings.Join(all, ", ")
}

// tally counts what was handled, by text.
type tally struct {
	mu   sync.Mutex
	seen map[string]int
}

func (y *tally) add(text string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.seen == nil {
		y.seen = map[string]int{}
	}
	y.seen[text]++
}

func (y *tally) total() int {
	y.mu.Lock()
	defer y.mu.Unlock()
	return len(y.seen)
}

func numbers(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

func start[T any](t *testing.T, p *plant, queue string, items iter.Seq[T], opts ...pipeline.StartOption) string {
	t.Helper()
	job, err := pipeline.Start(t.Context(), p.Pipeline, queue, items, opts...)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func acks[T any](context.Context, consumer.Message[T]) consumer.Result { return consumer.Ack() }
