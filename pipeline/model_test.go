package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/histories"
	"github.com/bunnicula-go/bunnicula/pipeline"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// A job of three stages runs while connections, processes and the broker fail. Each row is saved,
// under one id; the job is complete in the end, and never before all rows are saved.
//
//	go test ./pipeline -run TestWhateverHappens -rapid.seed=... -rapid.checks=20000
func TestWhateverHappensAJobIsCompleteWhenAllIsDone(t *testing.T) {
	checks := 300
	if testing.Short() || amqptest.Raced() {
		checks = 60
	}
	histories.Check(t, checks, anyHistory, func(h history) (err error) {
		w := &world{history: h, saved: map[string]string{}}
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("%v\n%s\n\n%+v", p, histories.Blocked(), h)
			}
		}()
		synctest.Test(t, func(*testing.T) { err = w.run() })
		if err != nil {
			err = fmt.Errorf("%w\n\n%+v", err, h)
		}
		return err
	}, "a job was not done as it should")
}

// history is what happens.
type history struct {
	version simulated.Version
	latency time.Duration
	stride  int // outputs until a continuation
	faults  []fault
	kills   []time.Duration // of the process that works then
}

// fault goes wrong at a step.
type fault struct {
	step  string
	n     int
	fault simulated.Fault
}

var anyHistory = rapid.Custom(func(t *rapid.T) history {
	faults := rapid.Custom(func(t *rapid.T) fault {
		return fault{
			rapid.SampledFrom([]string{"publish", "confirm", "deliver", "ack", "consume", "open", "dial"}).Draw(t, "step"),
			rapid.OneOf(rapid.IntRange(1, 20), rapid.IntRange(1, 400)).Draw(t, "at"),
			rapid.SampledFrom([]simulated.Fault{
				{Kind: simulated.Cut}, {Kind: simulated.Cut, After: true}, {Kind: simulated.Cut, Broker: 2 * time.Second}, {Kind: simulated.CloseChannel, Code: 320},
				{Kind: simulated.CloseSession, Code: 541, After: true}, {Kind: simulated.Nack}, {Kind: simulated.Unroutable}, {Kind: simulated.NoConfirm},
				{Kind: simulated.LateConfirm, For: 3 * time.Second}, {Kind: simulated.Restart, For: 2 * time.Second}, {Kind: simulated.HoldChannel, For: 3 * time.Second},
			}).Draw(t, "fault"),
		}
	})
	return history{
		version: rapid.SampledFrom([]simulated.Version{simulated.RabbitMQ43, simulated.RabbitMQ3}).Draw(t, "version"),
		latency: rapid.SampledFrom([]time.Duration{time.Millisecond, 0, 30 * time.Millisecond}).Draw(t, "latency"),
		stride:  rapid.IntRange(1, 8).Draw(t, "stride"),
		faults:  rapid.SliceOfN(faults, 0, 6).Draw(t, "faults"),
		kills:   rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 100), func(n int) time.Duration { return time.Duration(n) * 50 * time.Millisecond }), 0, 3).Draw(t, "kills"),
	}
})

// The job: accounts have pages, pages have rows.
const (
	modelAccounts = 3
	modelPages    = 4 // of an account
	modelRows     = 3 // of a page
)

// world acts a history out.
type world struct {
	history
	broker *simulated.Broker
	tally  tally
	saved  map[string]string // row to id; guarded by tally.mu
	twice  error             // guarded by tally.mu
}

// crew is a process that works.
type crew struct {
	process *simulated.Process
	bank    *pipeline.Pipeline
	pub     *publisher.Client
	all     []*consumer.Consumer
}

// work starts a process.
func (w *world) work(ctx context.Context, name string) (*crew, error) {
	c := &crew{process: w.broker.Process(name)}
	conn := connection.Over(c.process)
	var err error
	if c.pub, err = publisher.New(conn, publisher.Config{}, quiet()); err != nil {
		return c, err
	}
	if c.bank, err = pipeline.New(conn, c.pub, pipeline.Config{Name: "bank", Window: 2, Logger: quiet()}); err != nil {
		return c, err
	}
	for queue, h := range map[string]consumer.Handler{
		"accounts": pipeline.Stage(c.bank, "pages", w.account), "pages": pipeline.Stage(c.bank, "rows", w.onePage), "rows": pipeline.Sink(c.bank, w.row),
	} {
		spec := consumer.Spec{Queue: queue, Handler: h, Concurrency: 3, MaxRetries: 50, Backoff: []time.Duration{time.Second}, Timeout: 20 * time.Second, MaxCrashes: 50}
		one, err := consumer.New(conn, spec, nil, quiet())
		if err == nil {
			err = one.Start(ctx)
		}
		if err != nil {
			return c, err
		}
		c.all = append(c.all, one)
	}
	return c, nil
}

func (c *crew) stop() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for _, one := range c.all {
		_ = one.Stop(ctx)
	}
	_, _, _ = c.bank.Stop(ctx), c.pub.Stop(ctx), c.process.Stop(ctx)
}

// account emits pages, some at a time.
func (w *world) account(_ context.Context, in consumer.Message[[2]int], emit pipeline.Emit[string]) consumer.Result {
	account, from := in.Payload[0], in.Payload[1]
	for i := from; i < min(from+w.stride, modelPages); i++ {
		if err := emit(fmt.Sprint(account, ".", i)); err != nil {
			return consumer.Retry(err)
		}
	}
	if from+w.stride < modelPages {
		return consumer.ResultOf(emit.Again([2]int{account, from + w.stride}))
	}
	return consumer.Ack()
}

// onePage emits the rows of a page, in any order.
func (w *world) onePage(_ context.Context, in consumer.Message[string], emit pipeline.Emit[string]) consumer.Result {
	rows := []int{0, 1, 2}
	if in.Attempt%2 == 0 {
		slices.Reverse(rows)
	}
	for _, i := range rows {
		if err := emit(fmt.Sprint(in.Payload, ".", i), pipeline.Key(fmt.Sprint(i))); err != nil {
			return consumer.Retry(err)
		}
	}
	return consumer.Ack()
}

func (w *world) row(_ context.Context, in consumer.Message[string]) consumer.Result {
	w.tally.mu.Lock()
	defer w.tally.mu.Unlock()
	if id, ok := w.saved[in.Payload]; ok && id != in.MessageID {
		w.twice = fmt.Errorf("row %s has the ids %s and %s", in.Payload, id, in.MessageID)
	}
	w.saved[in.Payload] = in.MessageID
	return consumer.Ack()
}

func (w *world) rows() (n int, err error) {
	w.tally.mu.Lock()
	defer w.tally.mu.Unlock()
	return len(w.saved), w.twice
}

func (w *world) run() error {
	armed := make(chan struct{})
	seen := map[string]int{}
	w.broker = simulated.New(simulated.Options{Version: w.version, Latency: w.latency, Silent: true, Faults: func(s simulated.Step) simulated.Fault {
		select {
		case <-armed:
		default:
			return simulated.Fault{}
		}
		seen[s.Kind]++
		for _, f := range w.faults {
			if f.step == s.Kind && f.n == seen[s.Kind] {
				return f.fault
			}
		}
		return simulated.Fault{}
	}})
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	defer time.Sleep(time.Minute) // until the broker has noticed all that has ended
	asks, err := w.work(ctx, "asks")
	defer asks.stop()
	if err == nil {
		err = asks.bank.Start(ctx)
	}
	for _, c := range asks.all { // its queues are there, and others work
		err = errors.Join(err, c.Stop(ctx))
	}
	if err != nil {
		return err
	}
	close(armed)
	workers := make(chan struct{})
	go func() { defer close(workers); w.workers(ctx) }()
	defer func() { cancel(); <-workers }()
	return w.watch(ctx, asks.bank)
}

// workers has a process work until it is killed, and then another one, until ctx ends.
func (w *world) workers(ctx context.Context) {
	began := time.Now()
	slices.Sort(w.kills)
	for i := 0; ctx.Err() == nil; i++ {
		c, _ := w.work(ctx, fmt.Sprint("worker", i)) // what has not started is replaced too
		if i < len(w.kills) {
			time.Sleep(time.Until(began.Add(w.kills[i])))
			c.process.Kill(time.Second)
		} else {
			select {
			case <-ctx.Done():
			case <-time.After(5 * time.Minute):
			}
		}
		c.stop()
	}
}

// start starts the job, or goes on with it. What is not confirmed as long as its channel lives is
// given up.
func (w *world) start(ctx context.Context, bank *pipeline.Pipeline, job string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	_, err := pipeline.Start(ctx, bank, "accounts", func(yield func([2]int) bool) {
		for i := range modelAccounts {
			if !yield([2]int{i, 0}) {
				return
			}
		}
	}, pipeline.JobID(job), pipeline.Resume())
	return err
}

// watch starts the job, and looks until it is complete.
func (w *world) watch(ctx context.Context, bank *pipeline.Pipeline) error {
	const all = modelAccounts * modelPages * modelRows
	job := "june"
	for try := 0; ; try++ {
		err := w.start(ctx, bank, job)
		if err == nil {
			break
		}
		if try > 20 {
			return fmt.Errorf("start: %w", err)
		}
		time.Sleep(time.Second)
	}
	for range 600 {
		time.Sleep(time.Second)
		p, err := bank.Progress(ctx, job)
		n, twice := w.rows()
		switch {
		case twice != nil:
			return twice
		case err != nil: // a mark was refused
		case p.Complete && n < all:
			return fmt.Errorf("complete with %d rows of %d: %s", n, all, short(p))
		case p.Complete:
			if want := modelAccounts*modelPages + 1; p.Stages[1].Done+1 != want || p.Stages[2].Done != all || p.Stages[2].Emitted != all {
				return fmt.Errorf("complete, and %s", short(p))
			}
			return nil
		}
	}
	p, err := bank.Progress(ctx, job)
	n, _ := w.rows()
	return fmt.Errorf("not complete with %d rows of %d: %s, %w", n, all, short(p), err)
}
