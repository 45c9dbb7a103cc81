package pipeline_test

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/pipeline"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

func TestWithoutAStreamMessagesSnoozeAndNothingIsLost(t *testing.T) {
	var gone atomic.Bool
	faults := func(s simulated.Step) simulated.Fault {
		if gone.Load() && s.Queue == "bank-progress" && (s.Kind == "declare" || s.Kind == "publish") {
			return simulated.Fault{Kind: simulated.CloseChannel, Code: amqp.AccessRefused}
		}
		return simulated.Fault{}
	}
	simulate(t, faults, pipeline.Config{}, func(t *testing.T, s *simulation) {
		var mu sync.Mutex
		var results []consumer.Result // guarded by mu
		sink := pipeline.Sink(s.Pipeline, acks[int])
		s.consume("rows", func(ctx context.Context, d consumer.Delivery) consumer.Result {
			r := sink(ctx, d)
			if d.Attempt != 1 {
				t.Errorf("attempt %d", d.Attempt)
			}
			mu.Lock()
			defer mu.Unlock()
			results = append(results, r)
			return r
		}, func(spec *consumer.Spec) { spec.Concurrency = 1; spec.Backoff = []time.Duration{time.Second} })
		job := start(t, s.plant, "rows", numbers(1))
		synctest.Wait()
		s.first("the report", s.broker.Journal(), func(e simulated.Event) bool { return e.Kind == simulated.Acking })
		gone.Store(true)
		if _, err := pipeline.Start(t.Context(), s.Pipeline, "rows", numbers(1)); err == nil || !strings.Contains(err.Error(), "no permission to write exchange") {
			t.Errorf("a start without permission: %v", err)
		}
		mu.Lock()
		results = nil
		mu.Unlock()
		if err := s.publish("rows", 1, publisher.Headers(map[string]any{"job": job, "job-path": "2"})); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		mu.Lock()
		if n := len(results); n < 5 || n > 300 || !results[0].Snoozed() || results[0].Delay() < time.Second || results[n-1].Delay() > 30*time.Second ||
			!strings.Contains(results[0].Err().Error(), "no permission to write exchange") {
			t.Errorf("%d results: %v", n, results)
		}
		mu.Unlock()
		gone.Store(false)
		s.broker.Delete("bank-progress")
		time.Sleep(5 * time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if last := results[len(results)-1]; !last.Acked() {
			t.Errorf("in the end: %s", last)
		}
		if p := s.progress(job); short(p) != "rows 1/0" {
			t.Errorf("the new stream has %s", short(p))
		}
	})
}

func TestABadConfigIsAnErrorThatNamesItsFields(t *testing.T) {
	conn, _ := connection.New(connection.Config{URL: "amqp://localhost:1"}, quiet())
	_, err := pipeline.New(conn, &publishertest.Recorder{}, pipeline.Config{Name: "a b", Window: -1, MaxAgain: 1_000_001, MaxDepth: 33, MaxAge: time.Millisecond})
	for _, field := range []string{`Name is "a b"`, "Window is -1", "MaxAgain is 1000001", "MaxDepth is 33", "MaxAge is 1ms"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("no %s in %v", field, err)
		}
	}
	if _, err := pipeline.New(nil, nil, pipeline.Config{}); err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("nothing is set: %v", err)
	}
	for name, h := range map[string]consumer.Handler{
		"no pipeline": pipeline.Sink(nil, acks[int]), "no queue": pipeline.Stage[int, int](mustOffline(t), "", nil), "no function": pipeline.Sink[int](mustOffline(t), nil),
		"a report of nothing": mustOffline(t).Report(nil),
	} {
		if h.Check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func mustOffline(t *testing.T) *pipeline.Pipeline {
	p, _ := offline(t, pipeline.Config{})
	return p
}

func TestBadStartsBeginNothing(t *testing.T) {
	simulate(t, nil, pipeline.Config{}, func(t *testing.T, s *simulation) {
		for name, opts := range map[string][]pipeline.StartOption{
			`JobID is "a b"`: {pipeline.JobID("a b")}, "JobID has 0 bytes": {pipeline.JobID("")}, "JobID has 129 bytes": {pipeline.JobID(strings.Repeat("x", 129))},
			"Resume without a JobID": {pipeline.Resume()},
		} {
			if job, err := pipeline.Start(t.Context(), s.Pipeline, "rows", numbers(1), opts...); job != "" || err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s: %q, %v", name, job, err)
			}
		}
		if _, err := pipeline.Start(t.Context(), s.Pipeline, "", numbers(1)); err == nil {
			t.Error("a start without a queue")
		}
		if _, err := pipeline.Start[int](t.Context(), s.Pipeline, "rows", nil); err == nil {
			t.Error("a start without items")
		}
		if n := len(s.broker.Messages("bank-progress")); n != 0 {
			t.Errorf("%d records", n)
		}
		if _, err := s.Progress(t.Context(), "a b"); err == nil || errors.Is(err, pipeline.ErrNoJob) {
			t.Errorf("progress of a bad name: %v", err)
		}
	})
}

// publish publishes beside the pipeline.
func (s *simulation) publish(queue string, v any, opts ...publisher.Option) error {
	pub, err := publisher.New(s.conn, publisher.Config{}, quiet())
	if err != nil {
		return err
	}
	defer func() { _ = pub.Stop(context.Background()) }()
	return pub.Publish(s.t.Context(), queue, v, opts...)
}

func TestAKeyIsForAnEmit(t *testing.T) {
	var pub publishertest.Recorder
	if err := pub.Publish(t.Context(), "rows", 1, pipeline.Key("a")); err == nil || !strings.Contains(err.Error(), "pipeline.Key is for the emit of a stage") {
		t.Error(err)
	}
}

func TestAStartWithoutPermissionSaysWhichOneIsMissing(t *testing.T) {
	t.Parallel()
	name, _ := namesOf(t)
	amqptest.User(t, name, "secret", "^nothing$", ".*", ".*")
	login, err := url.Parse(amqptest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	login.User = url.UserPassword(name, "secret")
	conn := connecttest.New(t, connection.Config{URL: login.String()})
	p, err := pipeline.New(conn, &publishertest.Recorder{}, pipeline.Config{Name: name, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "no permission to configure queue \""+pipeline.StreamOf(name)) {
		t.Error(err)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAReportThatIsNotConfirmedInTimeUsesNoAttempt(t *testing.T) {
	var silent atomic.Bool
	silent.Store(true)
	faults := func(s simulated.Step) simulated.Fault {
		if silent.Load() && s.Queue == "bank-progress" && s.Kind == "publish" {
			return simulated.Fault{Kind: simulated.NoConfirm}
		}
		return simulated.Fault{}
	}
	simulate(t, faults, pipeline.Config{}, func(t *testing.T, s *simulation) {
		var runs, attempt atomic.Int64
		sink := pipeline.Sink(s.Pipeline, func(_ context.Context, in consumer.Message[int]) consumer.Result {
			runs.Add(1)
			attempt.Store(int64(in.Attempt))
			return consumer.Ack()
		})
		s.consume("rows", sink, func(spec *consumer.Spec) {
			spec.Timeout, spec.MaxRetries, spec.Backoff = 5*time.Second, 2, []time.Duration{time.Second}
		})
		if err := s.publish("rows", 1, publisher.Headers(map[string]any{"job": "june", "job-path": "1"})); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if runs.Load() < 5 || attempt.Load() != 1 || len(s.broker.Messages("rows-error")) != 0 {
			t.Errorf("%d runs, attempt %d, %d parked", runs.Load(), attempt.Load(), len(s.broker.Messages("rows-error")))
		}
		silent.Store(false)
		time.Sleep(5 * time.Minute)
		if p := s.progress("june"); short(p) != "rows 1/0" || attempt.Load() != 1 {
			t.Errorf("%s, attempt %d", short(p), attempt.Load())
		}
	})
}

func TestAHandlerThatLeavesNoTimeToReportUsesAnAttempt(t *testing.T) {
	silent := func(s simulated.Step) simulated.Fault {
		if s.Queue == "bank-progress" && s.Kind == "publish" {
			return simulated.Fault{Kind: simulated.NoConfirm}
		}
		return simulated.Fault{}
	}
	simulate(t, silent, pipeline.Config{}, func(t *testing.T, s *simulation) {
		s.consume("rows", pipeline.Sink(s.Pipeline, func(context.Context, consumer.Message[int]) consumer.Result {
			time.Sleep(4500 * time.Millisecond)
			return consumer.Ack()
		}), func(spec *consumer.Spec) { spec.Timeout, spec.MaxRetries = 5*time.Second, 1 })
		if err := s.publish("rows", 1, publisher.Headers(map[string]any{"job": "june", "job-path": "1"})); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if n := len(s.broker.Messages("rows-error")); n != 1 {
			t.Errorf("%d parked", n)
		}
	})
}
