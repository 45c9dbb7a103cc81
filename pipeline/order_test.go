package pipeline_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/pipeline"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// simulation is a plant on a simulated broker.
type simulation struct {
	*plant
	broker *simulated.Broker
}

// simulate runs a test in a bubble, with a process whose pipeline is called bank.
func simulate(t *testing.T, faults func(simulated.Step) simulated.Fault, cfg pipeline.Config, test func(t *testing.T, s *simulation)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := simulated.New(simulated.Options{Version: simulated.RabbitMQ43, Latency: time.Millisecond, Faults: faults})
		cfg.Name = "bank"
		p := newPlant(t, processOf(t, b, "worker"), cfg)
		test(t, &simulation{p, b})
		p.stop()
	})
}

// processOf makes a connection of a simulated process, which the test stops at its end.
func processOf(t *testing.T, b *simulated.Broker, name string) *connection.Connection {
	process := b.Process(name)
	t.Cleanup(func() { _ = process.Stop(context.Background()) })
	return connection.Over(process)
}

// first returns the index of the first event that is so, or fails the test.
func (s *simulation) first(what string, events []simulated.Event, is func(simulated.Event) bool) int {
	s.t.Helper()
	i := slices.IndexFunc(events, is)
	if i < 0 {
		s.t.Fatalf("there is no event: %s\n%s", what, lines(events))
	}
	return i
}

func lines(events []simulated.Event) string {
	var all []string
	for _, e := range events {
		all = append(all, e.String())
	}
	return strings.Join(all, "\n")
}

func TestOutputsAreConfirmedThenReportedThenTheMessageIsAcked(t *testing.T) {
	for name, late := range map[string]func(simulated.Step) bool{
		"nothing is late":    func(simulated.Step) bool { return false },
		"outputs are late":   func(s simulated.Step) bool { return s.Queue == "rows" },
		"the last is late":   func(s simulated.Step) bool { return s.Queue == "rows" && s.N >= 8 },
		"the report is late": func(s simulated.Step) bool { return s.Queue == "bank-progress" },
		"so is its successor": func(s simulated.Step) bool {
			return s.Queue == "accounts"
		},
	} {
		t.Run(name, func(t *testing.T) {
			var armed atomic.Bool
			faults := func(s simulated.Step) simulated.Fault {
				if armed.Load() && s.Kind == "publish" && late(s) {
					return simulated.Fault{Kind: simulated.LateConfirm, For: 700 * time.Millisecond}
				}
				return simulated.Fault{}
			}
			simulate(t, faults, pipeline.Config{Window: 2}, func(t *testing.T, s *simulation) {
				s.consume("rows", pipeline.Sink(s.Pipeline, acks[int]), func(spec *consumer.Spec) { spec.Timeout = time.Hour }).Pause()
				s.consume("accounts", pipeline.Stage(s.Pipeline, "rows", func(_ context.Context, in consumer.Message[int], emit pipeline.Emit[int]) consumer.Result {
					for i := range 5 {
						if err := emit(i); err != nil {
							return consumer.Retry(err)
						}
					}
					if in.Payload == 0 {
						if err := emit.Again(1); err != nil {
							t.Error(err)
						}
					}
					return consumer.Ack()
				}), func(spec *consumer.Spec) { spec.Concurrency = 1 })
				synctest.Wait()
				before := len(s.broker.Journal())
				armed.Store(true)
				if err := s.publish("accounts", 0, publisher.Headers(map[string]any{"job": "june", "job-path": "1"})); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				if p := s.progress("june"); short(p) != "accounts 2/1, rows 0/10" {
					t.Errorf("progress: %s", short(p))
				}
				events := s.broker.Journal()[before:]
				events = events[:1+s.first("an ack", events, func(e simulated.Event) bool { return e.Kind == simulated.Acking })]
				s.reportsAfter(6, events)
			})
		})
	}
}

// reportsAfter wants one record before the last of these events, which is confirmed, and so many
// confirms of other messages before it was written.
func (s *simulation) reportsAfter(outputs int, events []simulated.Event) {
	s.t.Helper()
	confirmed, written, reported := map[string]bool{}, "", false
	for _, e := range events {
		switch {
		case e.Kind == simulated.Published && e.Queue == "bank-progress" && written != "":
			s.t.Errorf("a second record")
		case e.Kind == simulated.Published && e.Queue == "bank-progress":
			written = e.Message
			if len(confirmed) != outputs+1 { // and the message that the test has published
				s.t.Errorf("a report after %d confirms, want %d", len(confirmed), outputs+1)
			}
		case e.Kind == simulated.Confirmed && e.Message == written:
			reported = e.OK
		case e.Kind == simulated.Confirmed && e.OK:
			confirmed[e.Message] = true
		}
	}
	if !reported || s.t.Failed() {
		s.t.Errorf("it is reported: %t\n%s", reported, lines(events))
	}
}

// The handler does not even look at what emit returns.
func TestAMessageWhoseOutputFailsIsNotAcked(t *testing.T) {
	for name, c := range map[string]struct {
		fault simulated.Fault
		queue string
		want  string
	}{
		"no queue takes it": {simulated.Fault{}, "nowhere", "no queue is bound"},
		"it is nacked":      {simulated.Fault{Kind: simulated.Nack}, "rows", "did not take"},
	} {
		t.Run(name, func(t *testing.T) {
			faults := func(s simulated.Step) simulated.Fault {
				if s.Kind == "publish" && s.Queue == "rows" {
					return c.fault
				}
				return simulated.Fault{}
			}
			simulate(t, faults, pipeline.Config{}, func(t *testing.T, s *simulation) {
				s.consume("rows", pipeline.Sink(s.Pipeline, acks[int]))
				s.consume("accounts", pipeline.Stage(s.Pipeline, c.queue, func(_ context.Context, _ consumer.Message[int], emit pipeline.Emit[int]) consumer.Result {
					_ = emit(1)
					_ = emit(2)
					return consumer.Ack()
				}), func(spec *consumer.Spec) { spec.MaxRetries = 1 })
				job := start(t, s.plant, "accounts", numbers(1))
				time.Sleep(time.Hour)
				parked := s.broker.Messages("accounts-error")
				if len(parked) != 1 || !strings.Contains(parked[0].Headers["bunnicula-error"].(string), c.want) {
					t.Errorf("parked: %+v", parked)
				}
				if p := s.progress(job); short(p) != "accounts 0/1" {
					t.Error(short(p))
				}
			})
		})
	}
}

// reportsIn counts the reports in records.
func reportsIn(records []amqp.Delivery) (n int) {
	for _, r := range records {
		var body struct{ Done []json.RawMessage }
		if json.Unmarshal(r.Body, &body) == nil {
			n += len(body.Done)
		}
	}
	return n
}
