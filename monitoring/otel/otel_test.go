package otel_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/baggage"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/monitoring/otel"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/publisher/publishertest"
)

// seen keeps the spans and metrics of a Monitor.
type seen struct {
	*otel.Monitor
	spans  *tracetest.SpanRecorder
	reader *metric.ManualReader
}

func watch(t *testing.T, change func(*otel.Config)) seen {
	t.Helper()
	s := seen{spans: tracetest.NewSpanRecorder(), reader: metric.NewManualReader()}
	cfg := otel.Config{
		TracerProvider: sdk.NewTracerProvider(sdk.WithSpanProcessor(s.spans)),
		MeterProvider:  metric.NewMeterProvider(metric.WithReader(s.reader)),
	}
	if change != nil {
		change(&cfg)
	}
	m, err := otel.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Monitor = m
	return s
}

func (s seen) ended(t *testing.T, n int) []sdk.ReadOnlySpan {
	t.Helper()
	ended := s.spans.Ended()
	if len(ended) != n {
		t.Fatalf("%d spans have ended, want %d: %v", len(ended), n, ended)
	}
	return ended
}

func attributeOf(span sdk.ReadOnlySpan, key string) any {
	for _, a := range span.Attributes() {
		if string(a.Key) == key {
			return a.Value.AsInterface()
		}
	}
	return nil
}

func wants(t *testing.T, span sdk.ReadOnlySpan, want map[string]any) {
	t.Helper()
	for key, value := range want {
		if got := attributeOf(span, key); got != value {
			t.Errorf("span %q: %s is %v, want %v", span.Name(), key, got, value)
		}
	}
}

// published returns the headers of a message that was published within a span, and the context of
// that span.
func (s seen) published(t *testing.T) (map[string]any, trace.SpanContext) {
	t.Helper()
	var sent publishertest.Recorder
	member, err := baggage.NewMember("tenant", "seven")
	if err != nil {
		t.Fatal(err)
	}
	bag, err := baggage.New(member)
	if err != nil {
		t.Fatal(err)
	}
	ctx := baggage.ContextWithBaggage(context.Background(), bag)
	if err := s.Publisher(&sent).Publish(ctx, "orders", 1, publisher.Header("traceparent", "of another message")); err != nil {
		t.Fatal(err)
	}
	ended := s.spans.Ended()
	return sent.Messages()[0].Headers, ended[len(ended)-1].SpanContext()
}

var outcome = monitoring.Outcome{Action: monitoring.Acked, Duration: time.Second}

func TestAnAttemptIsATraceOfItsOwnThatIsLinkedToThePublish(t *testing.T) {
	s := watch(t, nil)
	h, origin := s.published(t)
	for attempt := 1; attempt <= 2; attempt++ {
		d := monitoring.Delivery{
			Consumer: "importer", Queue: "orders", RoutingKey: "orders", Exchange: "shop", Attempt: attempt, Headers: h, MessageID: "m1", CorrelationID: "c1", Body: []byte("body"),
		}
		ctx := s.Begin(context.Background(), d)
		if got := baggage.FromContext(ctx).Member("tenant").Value(); got != "seven" {
			t.Errorf("the baggage is %q", got)
		}
		if !trace.SpanContextFromContext(ctx).IsValid() {
			t.Error("the handler's context has no span")
		}
		s.End(ctx, d, outcome)
	}
	spans := s.ended(t, 3)
	for i, span := range spans[1:] {
		if links := span.Links(); len(links) != 1 || links[0].SpanContext.SpanID() != origin.SpanID() {
			t.Errorf("attempt %d has links %v, want one to %v", i+1, links, origin)
		}
		if span.Parent().IsValid() || span.SpanContext().TraceID() == origin.TraceID() {
			t.Errorf("attempt %d is part of another trace", i+1)
		}
		if span.Name() != "process orders" || span.SpanKind() != trace.SpanKindConsumer || span.Status().Code != codes.Unset {
			t.Errorf("the span is %q, a %v, %v", span.Name(), span.SpanKind(), span.Status())
		}
		wants(t, span, map[string]any{
			"messaging.system": "rabbitmq", "messaging.operation.type": "process", "messaging.operation.name": "process",
			"messaging.destination.name": "shop:orders", "messaging.rabbitmq.destination.routing_key": "orders",
			"messaging.message.id": "m1", "messaging.message.conversation_id": "c1", "messaging.message.body.size": int64(4),
			"bunnicula.consumer": "importer", "bunnicula.attempt": int64(i + 1), "bunnicula.action": "acked", "bunnicula.reason": nil,
		})
	}
}

func TestAFirstAttemptCanBeAChildOfThePublish(t *testing.T) {
	s := watch(t, func(c *otel.Config) { c.Parent = true })
	h, origin := s.published(t)
	for _, d := range []monitoring.Delivery{{Attempt: 1, Headers: h}, {Attempt: 2, Headers: h}, {Attempt: 1, Redelivered: true, Headers: h}} {
		s.End(s.Begin(context.Background(), d), d, outcome)
	}
	spans := s.ended(t, 4)
	if spans[1].Parent().SpanID() != origin.SpanID() || len(spans[1].Links()) != 0 {
		t.Errorf("the first attempt's parent is %v, links %v", spans[1].Parent(), spans[1].Links())
	}
	for _, span := range spans[2:] {
		if span.Parent().IsValid() || len(span.Links()) != 1 {
			t.Errorf("a later attempt's parent is %v, links %v", span.Parent(), span.Links())
		}
	}
}

func TestWithoutAContextInTheMessageAnAttemptIsATraceOfItsOwn(t *testing.T) {
	s := watch(t, nil)
	for _, h := range []map[string]any{nil, {"traceparent": 7}, {"traceparent": "nonsense"}} {
		d := monitoring.Delivery{Attempt: 1, Headers: h}
		s.End(s.Begin(context.Background(), d), d, outcome)
	}
	for _, span := range s.ended(t, 3) {
		if len(span.Links()) != 0 || span.Parent().IsValid() {
			t.Errorf("links %v, parent %v", span.Links(), span.Parent())
		}
	}
}

func TestAContextThatWasWrittenAsBytesIsRead(t *testing.T) {
	s := watch(t, nil)
	h, origin := s.published(t)
	d := monitoring.Delivery{Attempt: 1, Headers: map[string]any{"traceparent": []byte(h["traceparent"].(string))}}
	s.End(s.Begin(context.Background(), d), d, outcome)
	if links := s.ended(t, 2)[1].Links(); len(links) != 1 || links[0].SpanContext.SpanID() != origin.SpanID() {
		t.Errorf("links %v", links)
	}
}

func TestAFailureIsAnErrorOnItsSpan(t *testing.T) {
	s := watch(t, nil)
	d := monitoring.Delivery{Queue: "orders", Attempt: 1}
	s.End(s.Begin(context.Background(), d), d, monitoring.Outcome{
		Action: monitoring.Retried, Reason: monitoring.ReasonPanic, Err: errors.New("boom"), Stack: "goroutine 7", Delay: time.Minute, Duration: time.Second,
	})
	s.End(s.Begin(context.Background(), d), d, monitoring.Outcome{Action: monitoring.Parked, Reason: monitoring.ReasonError})
	spans := s.ended(t, 2)
	if got := spans[0].Status(); got.Code != codes.Error || got.Description != "boom" {
		t.Errorf("the status is %v", got)
	}
	wants(t, spans[0], map[string]any{"bunnicula.action": "retried", "bunnicula.reason": "panic", "error.type": "panic", "bunnicula.delay_ms": int64(60000)})
	events := spans[0].Events()
	if len(events) != 1 || !slices.ContainsFunc(events[0].Attributes, func(a attribute.KeyValue) bool {
		return a.Key == "exception.stacktrace" && a.Value.AsString() == "goroutine 7"
	}) {
		t.Errorf("the events are %v", events)
	}
	if got := spans[1].Status(); got.Code != codes.Error || got.Description != "error" {
		t.Errorf("the status without an error is %v", got)
	}
}

func TestASnoozeWithAnErrorIsNoFailure(t *testing.T) {
	s := watch(t, nil)
	d := monitoring.Delivery{Queue: "orders", Attempt: 1}
	s.End(s.Begin(context.Background(), d), d, monitoring.Outcome{Action: monitoring.Snoozed, Err: errors.New("mail server is down"), Delay: time.Minute})
	span := s.ended(t, 1)[0]
	if got := span.Status(); got.Code != codes.Unset || len(span.Events()) != 0 {
		t.Errorf("the status is %v, the events are %v", got, span.Events())
	}
	wants(t, span, map[string]any{"bunnicula.action": "snoozed", "bunnicula.delay_ms": int64(60000)})
	if slices.ContainsFunc(span.Attributes(), func(a attribute.KeyValue) bool { return a.Key == "error.type" || a.Key == "bunnicula.reason" }) {
		t.Errorf("the attributes are %v", span.Attributes())
	}
}

func TestAPublishIsASpanUntilItsFateIsKnown(t *testing.T) {
	s := watch(t, func(c *otel.Config) { c.RoutingKeys = []string{"orders"} })
	var sent publishertest.Recorder
	pub := s.Publisher(&sent)
	c, err := pub.PublishAsync(context.Background(), "orders", 1)
	if err != nil {
		t.Fatal(err)
	}
	<-c.Done()
	amqptest.Eventually(t, time.Second, func() bool { return len(s.spans.Ended()) == 1 }, "its span does not end")
	if err := pub.PublishBatch(context.Background(), publisher.Message{RoutingKey: "a", Payload: 1}, publisher.Message{RoutingKey: "b", Payload: 2}); err != nil {
		t.Fatal(err)
	}
	sent.Err = errors.New("broker is down")
	if err := pub.Publish(context.Background(), "orders", 1); err == nil {
		t.Error("no error")
	}
	// The Confirmation has the error.
	if _, err := pub.PublishAsync(context.Background(), "orders", 1); err != nil {
		t.Error(err)
	}
	amqptest.Eventually(t, time.Second, func() bool { return len(s.spans.Ended()) == 4 }, "its span does not end")
	ended, stop := context.WithCancel(context.Background())
	stop()
	if _, err := pub.PublishAsync(ended, "orders", 1); err == nil {
		t.Error("no error")
	}
	spans := s.ended(t, 5)
	wants(t, spans[0], map[string]any{"messaging.operation.type": "send", "messaging.destination.name": "orders", "messaging.message.id": c.MessageID()})
	wants(t, spans[1], map[string]any{"messaging.batch.message_count": int64(2), "messaging.destination.name": nil})
	if spans[0].Name() != "send orders" || spans[1].Name() != "send" || spans[0].SpanKind() != trace.SpanKindProducer {
		t.Errorf("the spans are %q and %q", spans[0].Name(), spans[1].Name())
	}
	for i, want := range []codes.Code{codes.Unset, codes.Unset, codes.Error, codes.Error, codes.Error} {
		if got := spans[i].Status().Code; got != want {
			t.Errorf("span %d is %v, want %v", i, got, want)
		}
	}
	for i, m := range sent.Messages() {
		if _, ok := m.Headers["traceparent"].(string); !ok {
			t.Errorf("message %d carries no context: %v", i, m.Headers)
		}
	}
}

// panics is a span processor of a user that fails.
type panics struct{ sdk.SpanProcessor }

func (panics) OnEnd(sdk.ReadOnlySpan) { panic("boom") }

// The span of an asynchronous publish ends in a goroutine of its own.
func TestASpanProcessorThatPanicsDoesNotEndTheProcess(t *testing.T) {
	ended := make(chan struct{})
	s := watch(t, func(c *otel.Config) {
		c.TracerProvider = sdk.NewTracerProvider(
			sdk.WithSpanProcessor(tells{tracetest.NewSpanRecorder(), ended}), sdk.WithSpanProcessor(panics{tracetest.NewSpanRecorder()}),
		)
	})
	if _, err := s.Publisher(new(publishertest.Recorder)).PublishAsync(context.Background(), "orders", 1); err != nil {
		t.Fatal(err)
	}
	<-ended
	time.Sleep(10 * time.Millisecond) // a panic would end the test
}

// tells closes a channel when a span ends.
type tells struct {
	sdk.SpanProcessor

	ended chan struct{}
}

func (t tells) OnEnd(sdk.ReadOnlySpan) { close(t.ended) }

func TestTheMetricsCount(t *testing.T) {
	s := watch(t, nil)
	s.published(t)
	d := monitoring.Delivery{Queue: "orders", Attempt: 1}
	s.End(s.Begin(context.Background(), d), d, outcome)
	s.End(s.Begin(context.Background(), d), d, monitoring.Outcome{Action: monitoring.Parked, Reason: monitoring.ReasonCrashed})
	var all metricdata.ResourceMetrics
	if err := s.reader.Collect(context.Background(), &all); err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					kind, _ := p.Attributes.Value("error.type")
					got[m.Name+" "+kind.AsString()] += p.Value
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					got[m.Name] += int64(p.Count)
				}
			}
		}
	}
	for name, want := range map[string]int64{
		"messaging.client.sent.messages ": 1, "messaging.client.consumed.messages ": 1, "messaging.client.consumed.messages crashed": 1, "messaging.process.duration": 1,
	} {
		if got[name] != want {
			t.Errorf("%s is %d, want %d: %v", name, got[name], want, got)
		}
	}
}
