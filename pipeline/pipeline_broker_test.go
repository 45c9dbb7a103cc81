package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/pipeline"
)

// namesOf returns names of a pipeline and of queues, which no other test uses.
func namesOf(t *testing.T, queues ...string) (name string, names []string) {
	t.Helper()
	name = amqptest.Queue(t, "bank")
	amqptest.Cleanup(t, pipeline.StreamOf(name))
	for _, q := range queues {
		names = append(names, amqptest.Queue(t, name+"."+q, "-retry-100ms", "-retry-1s"))
	}
	return name, names
}

func TestAJobOfThreeStagesIsCompleteWhenItsParkedMessageIsRedriven(t *testing.T) {
	t.Parallel()
	name, q := namesOf(t, "accounts", "pages", "rows")
	bank := newPlant(t, connecttest.New(t, connection.Config{}), pipeline.Config{Name: name, Window: 3})
	accounts, pages, rows := q[0], q[1], q[2]
	var saved tally
	var fixed atomic.Bool
	bank.consume(rows, pipeline.Sink(bank.Pipeline, func(_ context.Context, in consumer.Message[string]) consumer.Result {
		if in.Payload == "7.1.3" && !fixed.Load() {
			return consumer.Error(errors.New("a bug"))
		}
		saved.add(in.Payload)
		return consumer.Ack()
	}))
	bank.consume(pages, pipeline.Stage(bank.Pipeline, rows, func(_ context.Context, in consumer.Message[string], emit pipeline.Emit[string]) consumer.Result {
		for i := range 5 {
			if i == 3 && in.Attempt < 3 {
				return consumer.Retry(errors.New("the bank is slow"))
			}
			if err := emit(fmt.Sprint(in.Payload, ".", i)); err != nil {
				return consumer.Retry(err)
			}
		}
		return consumer.Ack()
	}))
	bank.consume(accounts, pipeline.Stage(bank.Pipeline, pages, func(_ context.Context, in consumer.Message[int], emit pipeline.Emit[string]) consumer.Result {
		for i := range 2 {
			if err := emit(fmt.Sprint(in.Payload, ".", i), pipeline.Key(fmt.Sprint(i))); err != nil {
				return consumer.Retry(err)
			}
		}
		return consumer.Ack()
	}))
	job := start(t, bank, accounts, numbers(10))
	bank.until(job, 30*time.Second, func(p pipeline.Progress) bool { return len(p.Stages) == 3 && p.Stages[2].Done == 99 })
	var last pipeline.Progress
	amqptest.Eventually(t, 10*time.Second, func() bool {
		last = bank.progress(job, pipeline.WithParked())
		return last.Stages[2].Parked == 1
	}, "no message is parked")
	for i, want := range []pipeline.StageProgress{{Queue: accounts, Emitted: 10, Done: 10}, {Queue: pages, Emitted: 20, Done: 20}, {Queue: rows, Emitted: 100, Done: 99, Parked: 1}} {
		if last.Stages[i] != want {
			t.Errorf("stage %d is %+v, want %+v", i, last.Stages[i], want)
		}
	}
	if last.Complete || !last.Started || last.Queue != accounts || time.Since(last.Began) > time.Minute || time.Since(last.Last) > time.Minute {
		t.Errorf("%+v", last)
	}
	fixed.Store(true)
	errs, err := errorqueue.Open(t.Context(), bank.conn, errorqueue.Config{Queue: rows}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer errs.Close(context.Background())
	if _, err := errs.Redrive(t.Context(), errorqueue.RedriveOptions{All: true}); err != nil {
		t.Fatal(err)
	}
	last = bank.until(job, 30*time.Second, func(p pipeline.Progress) bool { return p.Complete })
	if saved.total() != 100 || last.Stages[2].Done != 100 {
		t.Errorf("%d are saved: %s", saved.total(), short(last))
	}
	all, err := bank.Jobs(t.Context())
	if err != nil || len(all) != 1 || all[0].Job != job || !all[0].Complete {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestAJobIsStartedOnce(t *testing.T) {
	t.Parallel()
	name, q := namesOf(t, "rows")
	bank := newPlant(t, connecttest.New(t, connection.Config{}), pipeline.Config{Name: name})
	if _, err := bank.Progress(t.Context(), "june"); !errors.Is(err, pipeline.ErrNoJob) {
		t.Errorf("no job: %v", err)
	}
	// no queue takes the items
	job, err := pipeline.Start(t.Context(), bank.Pipeline, q[0], numbers(3), pipeline.JobID("june"))
	if err == nil || job != "june" {
		t.Fatalf("%s, %v", job, err)
	}
	var saved tally
	bank.consume(q[0], pipeline.Sink(bank.Pipeline, func(_ context.Context, in consumer.Message[int]) consumer.Result {
		saved.add(fmt.Sprint(in.MessageID, in.Payload))
		return consumer.Ack()
	}))
	job, err = pipeline.Start(t.Context(), bank.Pipeline, q[0], numbers(3), pipeline.JobID("june"))
	if !errors.Is(err, pipeline.ErrJobExists) || job != "" {
		t.Errorf("a second start: %q, %v", job, err)
	}
	t.Log(err)
	for range 2 {
		job, err = pipeline.Start(t.Context(), bank.Pipeline, q[0], numbers(3), pipeline.JobID("june"), pipeline.Resume())
		if err != nil || job != "june" {
			t.Errorf("it is resumed: %q, %v", job, err)
		}
	}
	bank.until("june", 10*time.Second, func(p pipeline.Progress) bool { return p.Complete })
	if _, err = pipeline.Start(t.Context(), bank.Pipeline, q[0], numbers(3), pipeline.JobID("june")); !errors.Is(err, pipeline.ErrJobExists) {
		t.Errorf("a start after the end: %v", err)
	}
	t.Log(err)
	if saved.total() != 3 {
		t.Errorf("saved: %v", saved.seen)
	}
}
