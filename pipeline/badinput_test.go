package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/pipeline"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

// offline makes a Pipeline whose outputs are recorded, and which has no broker.
func offline(t *testing.T, cfg pipeline.Config) (*pipeline.Pipeline, *publishertest.Recorder) {
	t.Helper()
	conn, err := connection.New(connection.Config{URL: "amqp://localhost:1"}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Stop(context.Background()) })
	pub := new(publishertest.Recorder)
	cfg.Name = "bank"
	p, err := pipeline.New(conn, pub, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p, pub
}

// delivery is a message of no job.
func delivery(headers map[string]any) consumer.Delivery {
	return consumer.Delivery{Queue: "accounts", MessageID: "m", Body: []byte("1"), Headers: headers}
}

func TestAnEmitThatIsWrongIsNeverAcked(t *testing.T) {
	type emit = pipeline.Emit[any]
	deep := map[string]any{"job-path": "1.1.1"}
	for name, c := range map[string]struct {
		headers map[string]any
		emits   func(emit) error
		want    error
		text    string
		parked  bool
	}{
		"empty key":       {nil, func(e emit) error { return e(1, pipeline.Key("")) }, pipeline.ErrKey, "empty", false},
		"a key twice":     {nil, func(e emit) error { _ = e(1, pipeline.Key("a")); return e(2, pipeline.Key("a")) }, pipeline.ErrKey, `"a" was emitted already`, false},
		"a message id":    {nil, func(e emit) error { return e(1, publisher.MessageID("x")) }, pipeline.ErrOption, "MessageID", false},
		"an exchange":     {nil, func(e emit) error { return e(1, publisher.Exchange("x")) }, pipeline.ErrOption, `Exchange "x"`, false},
		"not mandatory":   {nil, func(e emit) error { return e(1, publisher.NotMandatory()) }, pipeline.ErrOption, "NotMandatory", false},
		"no JSON":         {nil, func(e emit) error { return e(func() {}) }, nil, "encode func()", false},
		"again twice":     {nil, func(e emit) error { _ = e.Again(1); return e.Again(2) }, pipeline.ErrAgain, "twice", false},
		"after a bad one": {nil, func(e emit) error { _ = e(1, pipeline.Key("")); return e(2) }, pipeline.ErrKey, "empty", false},
		"too deep":        {deep, func(e emit) error { return e(1) }, pipeline.ErrTooDeep, "Config.MaxDepth is 3", true},
		"a deep key":      {deep, func(e emit) error { return e(1, pipeline.Key("a")) }, pipeline.ErrTooDeep, "would have depth 4", true},
		"too many again":  {map[string]any{"job-path": "7~2"}, func(e emit) error { return e.Again(1) }, pipeline.ErrTooManyAgain, "Config.MaxAgain is 2", true},
		"too many keys": {nil, func(e emit) error {
			for i := range 10_000 {
				if err := e(1, pipeline.Key(fmt.Sprint(i))); err != nil {
					return err
				}
			}
			return e(1, pipeline.Key("one more"))
		}, pipeline.ErrTooManyKeys, "10000", true},
	} {
		t.Run(name, func(t *testing.T) {
			p, pub := offline(t, pipeline.Config{MaxDepth: 3, MaxAgain: 2})
			for _, said := range []consumer.Result{consumer.Ack(), consumer.Retry(errors.New("I do not know"))} {
				pub.Reset()
				sent := 0
				result := pipeline.Stage(p, "rows", func(_ context.Context, _ consumer.Message[int], emit pipeline.Emit[any]) consumer.Result {
					err := c.emits(emit)
					sent = len(pub.Messages())
					if c.want != nil && !errors.Is(err, c.want) || err == nil || !strings.Contains(err.Error(), c.text) {
						t.Errorf("%v, want %v with %q", err, c.want, c.text)
					}
					return said
				})(t.Context(), delivery(c.headers))
				switch {
				case c.parked && !result.Errored(), !c.parked && !result.Retried():
					t.Errorf("after %s: %s", said, result)
				case said.Acked() && c.want != nil && !errors.Is(result.Err(), c.want):
					t.Errorf("after %s: %s", said, result)
				}
				if n := len(pub.Messages()); n != sent {
					t.Errorf("%d messages, and %d later", sent, n)
				}
			}
		})
	}
}

func TestWhatTheHandlerSaysOfItsMessageCountsIfItIsNoAck(t *testing.T) {
	p, _ := offline(t, pipeline.Config{})
	for _, said := range []consumer.Result{consumer.Error(errors.New("no")), consumer.Snooze(time.Minute), consumer.Retry(nil), {}} {
		result := pipeline.Stage(p, "rows", func(_ context.Context, _ consumer.Message[int], emit pipeline.Emit[int]) consumer.Result {
			_ = emit(1, pipeline.Key(""))
			return said
		})(t.Context(), delivery(nil))
		if !result.Equal(said) {
			t.Errorf("%s becomes %s", said, result)
		}
	}
}

func TestNobodyEmitsWhenTheHandlerHasReturned(t *testing.T) {
	for name, ends := range map[string]func() consumer.Result{"it returns": consumer.Ack, "it panics": func() consumer.Result { panic("oh") }} {
		p, pub := offline(t, pipeline.Config{})
		var kept pipeline.Emit[int]
		h := pipeline.Stage(p, "rows", func(_ context.Context, _ consumer.Message[int], emit pipeline.Emit[int]) consumer.Result {
			kept = emit
			_ = emit(1)
			return ends()
		})
		func() {
			defer func() { _ = recover() }()
			h(t.Context(), delivery(nil))
		}()
		if err := kept(2); !errors.Is(err, pipeline.ErrReturned) {
			t.Errorf("%s: %v", name, err)
		}
		if err := kept.Again(2); !errors.Is(err, pipeline.ErrReturned) {
			t.Errorf("%s: again: %v", name, err)
		}
		if n := len(pub.Messages()); n != 1 {
			t.Errorf("%s: %d messages", name, n)
		}
	}
}

func TestAMessageWithBadHeadersIsParkedAndItsHandlerDoesNotRun(t *testing.T) {
	p, _ := offline(t, pipeline.Config{})
	handlers := map[string]consumer.Handler{
		"stage": pipeline.Stage(p, "rows", func(context.Context, consumer.Message[int], pipeline.Emit[int]) consumer.Result {
			t.Error("the handler runs")
			return consumer.Ack()
		}),
		"sink": pipeline.Sink(p, func(context.Context, consumer.Message[int]) consumer.Result {
			t.Error("the sink runs")
			return consumer.Ack()
		}),
		"report": p.Report(func(context.Context, consumer.Delivery) consumer.Result {
			t.Error("the rest runs")
			return consumer.Ack()
		}),
	}
	for _, h := range []map[string]any{
		{"job": "june", "job-path": ""}, {"job": "june", "job-path": "0"}, {"job": "june", "job-path": "1..2"}, {"job": "june", "job-path": int64(7)},
		{"job": "june", "job-path": strings.Repeat("1.", 600) + "1"}, {"job": "", "job-path": "1"}, {"job": "a b", "job-path": "1"}, {"job": int64(1), "job-path": "1"},
		{"job": strings.Repeat("x", 129), "job-path": "1"},
	} {
		for name, handler := range handlers {
			result := handler(t.Context(), delivery(h))
			if !result.Errored() || !errors.Is(result.Err(), pipeline.ErrHeaders) || len(result.Err().Error()) > 2000 {
				t.Errorf("%s: %v: %s", name, h, result)
			}
		}
	}
	t.Log(handlers["sink"](t.Context(), delivery(map[string]any{"job": "june", "job-path": "1..2"})).Err())
}

func TestAMessageOfNoJobIsHandledAndItsOutputsHaveTheSameIDsInEachRun(t *testing.T) {
	p, pub := offline(t, pipeline.Config{})
	h := pipeline.Stage(p, "rows", func(_ context.Context, in consumer.Message[int], emit pipeline.Emit[int]) consumer.Result {
		_ = emit(1, publisher.Headers(in.Headers))
		_ = emit(2, pipeline.Key("a"))
		_ = emit.Again(3)
		return consumer.Ack()
	})
	var ids [][]string
	for range 2 {
		pub.Reset()
		if result := h(t.Context(), delivery(map[string]any{"job": "of somebody else", "tenant": "acme"})); !result.Acked() {
			t.Fatal(result)
		}
		var run []string
		for _, m := range pub.Messages() {
			run = append(run, m.MessageId)
			if m.Headers["job"] != nil {
				t.Errorf("it has a job: %v", m.Headers)
			}
		}
		ids = append(ids, run)
	}
	all := pub.Messages()
	if len(all) != 3 || all[0].Headers["job-path"] != "1.1" || all[0].Headers["tenant"] != "acme" || all[2].Headers["job-path"] != "1~1" || all[2].RoutingKey != "accounts" {
		t.Errorf("%+v", all)
	}
	if !slices.Equal(ids[0], ids[1]) || len(slices.Compact(slices.Sorted(slices.Values(ids[0])))) != 3 {
		t.Errorf("ids: %v", ids)
	}
}

func TestAStageThatEmitsToItselfEndsAtMaxDepth(t *testing.T) {
	simulate(t, nil, pipeline.Config{MaxDepth: 5, MaxAgain: 4}, func(t *testing.T, s *simulation) {
		loop := func(self string) consumer.Handler {
			return pipeline.Stage(s.Pipeline, self, func(_ context.Context, _ consumer.Message[int], emit pipeline.Emit[int]) consumer.Result {
				return consumer.ResultOf(emit(1))
			})
		}
		s.consume("accounts", loop("accounts"))
		s.consume("pages", pipeline.Stage(s.Pipeline, "rows", func(_ context.Context, _ consumer.Message[int], emit pipeline.Emit[int]) consumer.Result {
			return consumer.ResultOf(emit.Again(1))
		}))
		deep, again := start(t, s.plant, "accounts", numbers(2)), start(t, s.plant, "pages", numbers(1))
		time.Sleep(time.Hour)
		if p := s.progress(deep); short(p) != "accounts 8/10" {
			t.Errorf("too deep: %s", short(p))
		}
		if p := s.progress(again); short(p) != "pages 4/5" {
			t.Errorf("too many again: %s", short(p))
		}
		for queue, want := range map[string]string{"accounts-error": "Config.MaxDepth is 5", "pages-error": "Config.MaxAgain is 4"} {
			parked := s.broker.Messages(queue)
			if len(parked) != map[string]int{"accounts-error": 2, "pages-error": 1}[queue] {
				t.Fatalf("%s has %d messages", queue, len(parked))
			}
			if text, _ := parked[0].Headers["bunnicula-error"].(string); !strings.Contains(text, want) {
				t.Errorf("%s: %v", queue, slices.Sorted(maps.Keys(parked[0].Headers)))
			}
		}
	})
}
