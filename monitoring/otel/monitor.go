package otel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"
	"go.opentelemetry.io/otel/trace"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// Monitor makes spans and metrics. Make it with [New].
type Monitor struct {
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
	parent     bool
	keys       patterns
	duration   messagingconv.ProcessDuration
	consumed   messagingconv.ClientConsumedMessages
	sent       messagingconv.ClientSentMessages
}

var _ monitoring.Monitor = (*Monitor)(nil)

const scope = "github.com/bunnicula-go/bunnicula/monitoring/otel"

// Bounds of what others have written, in bytes.
const (
	maxAttribute = 255     // of an attribute, such as a message id
	maxText      = 4 << 10 // of an error's text
)

// Attributes besides those of the semantic conventions.
const (
	attributeConsumer = attribute.Key("bunnicula.consumer")
	attributeAttempt  = attribute.Key("bunnicula.attempt")
	attributeAction   = attribute.Key("bunnicula.action")
	attributeReason   = attribute.Key("bunnicula.reason")
	attributeDelay    = attribute.Key("bunnicula.delay_ms")
)

// New makes a Monitor. The error names the field that is wrong.
func New(cfg Config) (*Monitor, error) {
	cfg = cfg.withDefaults()
	keys, err := newPatterns(cfg.RoutingKeys)
	if err != nil {
		return nil, err
	}
	meter := cfg.MeterProvider.Meter(scope)
	duration, err1 := messagingconv.NewProcessDuration(meter)
	consumed, err2 := messagingconv.NewClientConsumedMessages(meter)
	sent, err3 := messagingconv.NewClientSentMessages(meter)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("otel: %w", err)
	}
	return &Monitor{
		tracer:     cfg.TracerProvider.Tracer(scope, trace.WithSchemaURL(semconv.SchemaURL)),
		propagator: cfg.Propagator, parent: cfg.Parent, keys: keys, duration: duration, consumed: consumed, sent: sent,
	}, nil
}

// Begin starts the attempt's span.
func (m *Monitor) Begin(ctx context.Context, d monitoring.Delivery) context.Context {
	queue := foreign.Cut(d.Queue, maxAttribute)
	// The handler always gets the baggage of the publish. Whether the publish's span is the
	// parent or a link is the Config's choice.
	publish := m.propagator.Extract(context.WithoutCancel(ctx), headers(d.Headers))
	origin := trace.SpanContextFromContext(publish)
	options := []trace.SpanStartOption{
		trace.WithSpanKind(trace.SpanKindConsumer),
		trace.WithAttributes(
			semconv.MessagingSystemRabbitMQ, semconv.MessagingOperationTypeProcess, semconv.MessagingOperationName("process"),
			semconv.MessagingDestinationName(destination(d)), semconv.MessagingMessageBodySize(len(d.Body)),
			attributeConsumer.String(foreign.Cut(d.Consumer, maxAttribute)), attributeAttempt.Int(d.Attempt),
		),
	}
	optional := func(value string, of func(string) attribute.KeyValue) {
		if value != "" {
			options = append(options, trace.WithAttributes(of(foreign.Cut(value, maxAttribute))))
		}
	}
	optional(d.MessageID, semconv.MessagingMessageID)
	optional(d.CorrelationID, semconv.MessagingMessageConversationID)
	optional(d.RoutingKey, semconv.MessagingRabbitMQDestinationRoutingKey)
	ctx = withBaggage(ctx, publish)
	switch {
	case !origin.IsValid():
	case m.parent && d.Attempt == 1 && !d.Redelivered:
		ctx = trace.ContextWithRemoteSpanContext(ctx, origin)
	default:
		options = append(options, trace.WithNewRoot(), trace.WithLinks(trace.Link{SpanContext: origin}))
	}
	ctx, _ = m.tracer.Start(ctx, "process "+queue, options...)
	return ctx
}

// destination joins exchange, routing key and queue, without empty and repeated ones, as the
// semantic conventions require.
func destination(d monitoring.Delivery) string {
	var parts []string
	for _, part := range []string{d.Exchange, d.RoutingKey, d.Queue} {
		if part != "" && (len(parts) == 0 || parts[len(parts)-1] != part) {
			parts = append(parts, foreign.Cut(part, maxAttribute))
		}
	}
	return strings.Join(parts, ":")
}

// End ends the span and counts the delivery.
func (m *Monitor) End(ctx context.Context, d monitoring.Delivery, o monitoring.Outcome) {
	span := trace.SpanFromContext(ctx)
	defer span.End()
	span.SetAttributes(attributeAction.String(o.Action.String()))
	if o.Delay > 0 {
		span.SetAttributes(attributeDelay.Int64(o.Delay.Milliseconds()))
	}
	attributes := []attribute.KeyValue{semconv.MessagingDestinationName(foreign.Cut(d.Queue, maxAttribute))}
	if o.Failed() {
		attributes = append(attributes, semconv.ErrorTypeKey.String(string(o.Reason)))
		span.SetAttributes(attributeReason.String(string(o.Reason)), semconv.ErrorTypeKey.String(string(o.Reason)))
		m.fail(span, o)
	}
	if o.Duration > 0 {
		m.duration.Record(ctx, o.Duration.Seconds(), "process", messagingconv.SystemRabbitMQ, attributes...)
	}
	m.consumed.Add(ctx, 1, "process", messagingconv.SystemRabbitMQ, attributes...)
}

func (m *Monitor) fail(span trace.Span, o monitoring.Outcome) {
	if o.Err == nil {
		span.SetStatus(codes.Error, string(o.Reason))
		return
	}
	recordError(span, o.Err, o.Stack)
}

// recordError adds an error to a span as span.RecordError does, and makes it the span's status. The
// methods of an error are not trusted.
func recordError(span trace.Span, err error, stack string) {
	text := foreign.Text(err, maxText)
	attributes := []attribute.KeyValue{semconv.ExceptionType(typeOf(err)), semconv.ExceptionMessage(text)}
	if stack != "" {
		attributes = append(attributes, semconv.ExceptionStacktrace(foreign.Cut(stack, foreign.MaxText)))
	}
	span.AddEvent(semconv.ExceptionEventName, trace.WithAttributes(attributes...))
	span.SetStatus(codes.Error, text)
}

// typeOf returns the name of an error's type, without the wrappers of fmt.Errorf. A program has as
// many of them as types.
func typeOf(err error) string {
	err = foreign.Original(err)
	for reflect.TypeOf(err) == wrapper && errors.Unwrap(err) != nil {
		err = foreign.Original(errors.Unwrap(err))
	}
	t := reflect.TypeOf(err)
	if t.PkgPath() == "" {
		return t.String() // a pointer's type has no path
	}
	return t.PkgPath() + "." + t.Name()
}

var wrapper = reflect.TypeOf(fmt.Errorf("%w", io.EOF))
