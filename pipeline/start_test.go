package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/pipeline"
	"github.com/bunnicula-go/bunnicula/publisher"
)

func TestAStartWhoseItemsCannotBeReadIsNotFinished(t *testing.T) {
	simulate(t, nil, pipeline.Config{}, func(t *testing.T, s *simulation) {
		s.consume("rows", pipeline.Sink(s.Pipeline, acks[int]))
		broken := errors.New("the file is broken")
		ctx, cancel := context.WithCancelCause(t.Context())
		job, err := pipeline.Start(ctx, s.Pipeline, "rows", func(yield func(int) bool) {
			if yield(0) && yield(1) {
				cancel(broken)
			}
		}, pipeline.JobID("june"))
		if job != "june" || !errors.Is(err, broken) {
			t.Errorf("%q, %v", job, err)
		}
		time.Sleep(time.Minute)
		if p := s.progress(job); p.Started || p.Complete {
			t.Error(short(p))
		}
		if _, err := pipeline.Start(t.Context(), s.Pipeline, "rows", numbers(4), pipeline.JobID("june")); !errors.Is(err, pipeline.ErrJobExists) || !strings.Contains(err.Error(), "is not finished: Resume") {
			t.Error(err)
		}
		if _, err := pipeline.Start(t.Context(), s.Pipeline, "rows", numbers(4), pipeline.JobID("june"), pipeline.Resume()); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if p := s.progress(job); short(p) != "rows 4/4, complete" {
			t.Error(short(p))
		}
	})
}

func TestOfTwoStartsOfOneJobOneGoesOn(t *testing.T) {
	simulate(t, nil, pipeline.Config{}, func(t *testing.T, s *simulation) {
		s.consume("rows", pipeline.Sink(s.Pipeline, acks[int]))
		for i := range 10 {
			job, ended := fmt.Sprint("job-", i), make(chan error, 2)
			for range 2 {
				go func() {
					_, err := pipeline.Start(t.Context(), s.Pipeline, "rows", numbers(4), pipeline.JobID(job))
					ended <- err
				}()
			}
			first, second := <-ended, <-ended
			if first != nil {
				first, second = second, first
			}
			if first != nil || !errors.Is(second, pipeline.ErrJobExists) {
				t.Errorf("%v, %v", first, second)
			}
		}
	})
}

func TestPartitionsOfAQueueAreOneStage(t *testing.T) {
	simulate(t, nil, pipeline.Config{}, func(t *testing.T, s *simulation) {
		for _, spec := range consumer.Partitioned(2, consumer.Spec{Queue: "rows", Handler: pipeline.Sink(s.Pipeline, func(_ context.Context, in consumer.Message[int]) consumer.Result {
			if in.Payload == 3 {
				return consumer.Error(nil)
			}
			return consumer.Ack()
		})}) {
			s.consume(spec.Queue, spec.Handler, func(to *consumer.Spec) { *to = spec })
		}
		s.consume("accounts", pipeline.Stage(s.Pipeline, "rows", func(_ context.Context, _ consumer.Message[int], emit pipeline.Emit[int]) consumer.Result {
			for i := range 10 {
				if err := emit(i, publisher.Partition(fmt.Sprint(i), 2)); err != nil {
					return consumer.Retry(err)
				}
			}
			return consumer.Ack()
		}))
		job := start(t, s.plant, "accounts", numbers(1))
		time.Sleep(time.Minute)
		if p := s.progress(job, pipeline.WithParked()); short(p) != "accounts 1/1, rows 9/10 parked 1" {
			t.Error(short(p))
		}
	})
}

func TestAStartGoesOnInItsOwnQueueOnly(t *testing.T) {
	simulate(t, nil, pipeline.Config{}, func(t *testing.T, s *simulation) {
		s.consume("rows", pipeline.Sink(s.Pipeline, acks[int]))
		s.consume("others", pipeline.Sink(s.Pipeline, acks[int]))
		ctx, cancel := context.WithCancel(t.Context())
		_, err := pipeline.Start(ctx, s.Pipeline, "rows", func(yield func(int) bool) { yield(0); cancel() }, pipeline.JobID("june"))
		if err == nil {
			t.Fatal("it is finished")
		}
		_, err = pipeline.Start(t.Context(), s.Pipeline, "others", numbers(4), pipeline.JobID("june"), pipeline.Resume())
		if !errors.Is(err, pipeline.ErrJobExists) || !strings.Contains(err.Error(), `"rows"`) || !strings.Contains(err.Error(), `"others"`) {
			t.Error(err)
		}
		start(t, s.plant, "rows", numbers(4), pipeline.JobID("june"), pipeline.Resume())
		time.Sleep(time.Minute)
		if p := s.progress("june"); short(p) != "rows 4/4, complete" {
			t.Error(short(p))
		}
	})
}
