package pipeline_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/pipeline"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// calls are those of a Completed.
type calls struct {
	mu    sync.Mutex
	told  []string // jobs
	fails func(n int) error
}

func (c *calls) completed(_ context.Context, p pipeline.Progress) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, p.Job)
	if !p.Complete {
		return errors.New("it is not complete")
	}
	if c.fails != nil {
		return c.fails(len(c.told))
	}
	return nil
}

func (c *calls) want(t *testing.T, want ...string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Equal(c.told, want) {
		t.Errorf("told: %q, want %q", c.told, want)
	}
}

// notify runs a Notifier until stop.
func notify(t *testing.T, p *pipeline.Pipeline) (stop func()) {
	t.Helper()
	n, err := pipeline.NewNotifier(p)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(n.Start(t.Context()), n.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := errors.Join(n.Stop(context.Background()), n.Stop(context.Background())); err != nil {
			t.Error(err)
		}
	}
}

func TestACompleteJobIsToldOnceAlsoAfterARestart(t *testing.T) {
	var first, second calls
	simulate(t, nil, pipeline.Config{Completed: first.completed}, func(t *testing.T, s *simulation) {
		s.consume("rows", pipeline.Sink(s.Pipeline, func(ctx context.Context, in consumer.Message[int]) consumer.Result {
			time.Sleep(time.Second)
			return consumer.Ack()
		}))
		old := start(t, s.plant, "rows", numbers(2))
		time.Sleep(time.Minute) // nobody tells yet
		stop := notify(t, s.Pipeline)
		time.Sleep(time.Minute)
		first.want(t, old)
		job := start(t, s.plant, "rows", numbers(9))
		first.want(t, old)
		time.Sleep(time.Minute)
		first.want(t, old, job)
		s.broker.Restart(5 * time.Second)
		time.Sleep(time.Minute)
		stop()
		empty := start(t, s.plant, "rows", numbers(0))
		other := newPlant(t, processOf(t, s.broker, "other"), pipeline.Config{Name: "bank", Completed: second.completed})
		defer other.stop()
		stop = notify(t, other.Pipeline)
		time.Sleep(time.Minute)
		stop()
		second.want(t, empty)
		first.want(t, old, job)
	})
}

func TestACompletedThatFailsIsCalledAgainAndOthersMeanwhile(t *testing.T) {
	var c calls
	c.fails = func(n int) error {
		switch n {
		case 1:
			panic("oh")
		case 2:
			return errors.New("the mail server is down")
		}
		return nil
	}
	simulate(t, nil, pipeline.Config{Completed: c.completed}, func(t *testing.T, s *simulation) {
		defer notify(t, s.Pipeline)()
		start(t, s.plant, "rows", numbers(0), pipeline.JobID("a"))
		time.Sleep(500 * time.Millisecond)
		start(t, s.plant, "rows", numbers(0), pipeline.JobID("b"))
		time.Sleep(500 * time.Millisecond)
		c.want(t, "a", "b")
		time.Sleep(5 * time.Minute)
		c.mu.Lock()
		slices.Sort(c.told)
		c.mu.Unlock()
		c.want(t, "a", "a", "b", "b")
	})
}

func TestAWatchEndsWithTheCompleteJob(t *testing.T) {
	simulate(t, nil, pipeline.Config{}, func(t *testing.T, s *simulation) {
		for _, err := range s.Watch(t.Context(), "june") {
			if !errors.Is(err, pipeline.ErrNoJob) {
				t.Errorf("no job: %v", err)
			}
		}
		s.consume("rows", pipeline.Sink(s.Pipeline, func(ctx context.Context, in consumer.Message[int]) consumer.Result {
			time.Sleep(time.Second)
			return consumer.Ack()
		}), func(spec *consumer.Spec) { spec.Concurrency = 1 })
		job := start(t, s.plant, "rows", numbers(20))
		time.AfterFunc(3*time.Second, func() { s.broker.Restart(2 * time.Second) })
		var seen []string
		began, last := time.Now(), 0
		for p, err := range s.Watch(t.Context(), job) {
			if err != nil {
				t.Fatal(err)
			}
			if p.Stages[0].Done < last {
				t.Errorf("done goes from %d to %d", last, p.Stages[0].Done)
			}
			last = p.Stages[0].Done
			seen = append(seen, short(p))
		}
		if n := len(seen); n < 10 || n > 60 || seen[n-1] != "rows 20/20, complete" || time.Since(began) > time.Minute {
			t.Errorf("after %s: %q", time.Since(began), seen)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := s.publish("rows", 1, publisher.Headers(map[string]any{"job": "other", "job-path": "2"})); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		n := 0
		var end error
		for _, err := range s.Watch(ctx, "other") {
			n, end = n+1, err
		}
		if n != 2 || !errors.Is(end, context.DeadlineExceeded) {
			t.Errorf("a watch that is cancelled yields %d times and ends with %v", n, end)
		}
	})
}

func TestAnAckThatNoStageReportedIsReportedByReport(t *testing.T) {
	simulate(t, nil, pipeline.Config{}, func(t *testing.T, s *simulation) {
		skips := func(next consumer.Handler) consumer.Handler { // as use.Dedupe does with a copy
			return func(ctx context.Context, d consumer.Delivery) consumer.Result {
				if string(d.Body) == "1" {
					return consumer.Ack()
				}
				return next(ctx, d)
			}
		}
		s.consume("accounts", pipeline.Stage(s.Pipeline, "rows", func(_ context.Context, in consumer.Message[int], emit pipeline.Emit[int]) consumer.Result {
			return consumer.ResultOf(emit(in.Payload))
		}), func(spec *consumer.Spec) { spec.Use = []consumer.Middleware{s.Report, skips} })
		s.consume("rows", func(_ context.Context, d consumer.Delivery) consumer.Result { return consumer.Ack() },
			func(spec *consumer.Spec) { spec.Use = []consumer.Middleware{s.Report} })
		job := start(t, s.plant, "accounts", numbers(3))
		time.Sleep(time.Minute)
		if p := s.progress(job); short(p) != "accounts 3/3, rows 2/2, complete" {
			t.Error(short(p))
		}
		if n := reportsIn(s.broker.Messages("bank-progress")); n != 1+3+2 {
			t.Errorf("%d reports", n)
		}
	})
}

func TestReportsOfManyHandlersShareRecords(t *testing.T) {
	simulate(t, nil, pipeline.Config{}, func(t *testing.T, s *simulation) {
		s.consume("rows", pipeline.Sink(s.Pipeline, acks[int]), func(spec *consumer.Spec) { spec.Concurrency, spec.Prefetch = 200, 400 })
		job := start(t, s.plant, "rows", numbers(5000))
		time.Sleep(time.Minute)
		if p := s.progress(job); short(p) != "rows 5000/5000, complete" {
			t.Error(short(p))
		}
		records := s.broker.Messages("bank-progress")
		if n := reportsIn(records); n != 5001 || len(records) > 500 {
			t.Errorf("%d reports in %d records", n, len(records))
		}
	})
}

func TestAStopWaitsForReportsAndTakesNoMore(t *testing.T) {
	var late atomic.Bool
	faults := func(s simulated.Step) simulated.Fault {
		if late.Load() && s.Kind == "publish" && s.Queue == "bank-progress" {
			return simulated.Fault{Kind: simulated.LateConfirm, For: 5 * time.Second}
		}
		return simulated.Fault{}
	}
	simulate(t, faults, pipeline.Config{}, func(t *testing.T, s *simulation) {
		late.Store(true)
		sink := pipeline.Sink(s.Pipeline, acks[int])
		d := delivery(map[string]any{"job": "june", "job-path": "1"})
		result := make(chan consumer.Result, 1)
		go func() { result <- sink(t.Context(), d) }()
		synctest.Wait()
		began := time.Now()
		err := s.Stop(context.Background())
		if took := time.Since(began); err != nil || took < 4*time.Second {
			t.Errorf("after %s: %v", took, err)
		}
		if r := <-result; !r.Acked() || time.Since(began) > 6*time.Second {
			t.Errorf("after %s: %s", time.Since(began), r)
		}
		if r := sink(t.Context(), d); !r.Snoozed() || !errors.Is(r.Err(), pipeline.ErrStopped) {
			t.Errorf("after the stop: %s", r)
		}
	})
	simulate(t, faults, pipeline.Config{}, func(t *testing.T, s *simulation) {
		sink := pipeline.Sink(s.Pipeline, acks[int])
		result := make(chan consumer.Result, 1)
		go func() { result <- sink(t.Context(), delivery(map[string]any{"job": "june", "job-path": "1"})) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := s.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a stop without time: %v", err)
		}
		if r := <-result; r.Acked() {
			t.Errorf("it is acked: %s", r)
		}
	})
}

func TestACompletedThatCallsGoexitIsCalledAgain(t *testing.T) {
	var c calls
	c.fails = func(n int) error {
		if n == 1 {
			runtime.Goexit()
		}
		return nil
	}
	completed := func(ctx context.Context, p pipeline.Progress) error {
		c.mu.Lock()
		c.told = append(c.told, p.Job)
		n := len(c.told)
		c.mu.Unlock()
		return c.fails(n)
	}
	simulate(t, nil, pipeline.Config{Completed: completed}, func(t *testing.T, s *simulation) {
		s.consume("rows", pipeline.Sink(s.Pipeline, acks[int]))
		stop := notify(t, s.Pipeline)
		job := start(t, s.plant, "rows", numbers(1))
		time.Sleep(5 * time.Minute)
		c.want(t, job, job)
		stop()
	})
}
