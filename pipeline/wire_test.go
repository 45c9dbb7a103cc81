package pipeline_test

import (
	"context"
	"regexp"
	"testing"
	"testing/synctest"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/test/wirefixtures"
	"github.com/bunnicula-go/bunnicula/pipeline"
)

var (
	anyNonce  = regexp.MustCompile(`"nonce":"[^"]*"`)
	anyMoment = regexp.MustCompile(`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
)

// normal gives a message the values of the files. The ids of outputs are the same in each run.
func normal(d amqp.Delivery, isRecord bool) amqp.Delivery {
	d.Timestamp = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if !isRecord {
		return d
	}
	d.MessageId = "0198a1b2-0000-7000-8000-000000000001"
	body := anyNonce.ReplaceAllString(string(d.Body), `"nonce":"0198a1b2-0000-4000-8000-000000000002"`)
	d.Body = []byte(anyMoment.ReplaceAllString(body, "2026-01-02T03:04:05Z"))
	d.Headers = nil // the offset
	return d
}

func TestWireOfAPipeline(t *testing.T) {
	told := func(context.Context, pipeline.Progress) error { return nil }
	simulate(t, nil, pipeline.Config{Completed: told}, func(t *testing.T, s *simulation) {
		rows := s.consume("rows", pipeline.Sink(s.Pipeline, acks[string]))
		accounts := s.consume("accounts", pipeline.Stage(s.Pipeline, "rows", func(_ context.Context, in consumer.Message[int], emit pipeline.Emit[string]) consumer.Result {
			for _, key := range []string{"", "IBAN-7"} {
				var err error
				if key == "" {
					err = emit("by number")
				} else {
					err = emit("by key", pipeline.Key(key))
				}
				if err != nil {
					return consumer.Retry(err)
				}
			}
			if in.Payload == 0 {
				return consumer.ResultOf(emit.Again(1))
			}
			return consumer.Ack()
		}), func(spec *consumer.Spec) { spec.Concurrency = 1 })
		rows.Pause()
		accounts.Pause()
		synctest.Wait()
		start(t, s.plant, "accounts", numbers(1), pipeline.JobID("june"))
		compare := func(name, about, queue string, i int) {
			t.Helper()
			all := s.broker.Messages(queue)
			if i >= len(all) {
				t.Fatalf("%s: %s has %d messages", name, queue, len(all))
			}
			wirefixtures.Compare(t, "pipeline/"+name, about, wirefixtures.Of(normal(all[i], queue == "bank-progress"), queue))
		}
		compare("item", "The first item of a start.", "accounts", 0)
		accounts.Resume()
		time.Sleep(time.Minute)
		compare("output", "The first output of the item, which has no key.", "rows", 0)
		compare("output-with-key", "An output of the item with the key IBAN-7.", "rows", 1)
		compare("output-of-continuation", "The first output of the item's continuation.", "rows", 2)
		rows.Resume()
		stop := notify(t, s.Pipeline)
		time.Sleep(time.Minute)
		stop()
		kinds := map[string]int{}
		for i, d := range s.broker.Messages("bank-progress") {
			name := d.Type
			if name == "bunnicula.mark" {
				continue
			}
			if kinds[d.Type]++; kinds[d.Type] > 1 {
				name = "done-with-outputs"
			}
			if kinds[d.Type] <= 2 {
				compare(name, map[string]string{
					"begin": "A record of a start that has begun.", "done": "A record of a start that is done: it has emitted one item.",
					"done-with-outputs": "A record of the item, which has one numbered output, one with a key and a continuation.", "told": "A record of a job whose end was told.",
				}[name], "bank-progress", i)
			}
		}
		if kinds["told"] != 1 || kinds["begin"] != 1 {
			t.Errorf("records: %v", kinds)
		}
	})
}
