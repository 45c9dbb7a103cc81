package otel

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"
	"go.opentelemetry.io/otel/trace"

	"github.com/bunnicula-go/bunnicula/publisher"
)

// Publisher traces the publishes of another Publisher, and adds the span's context to the messages'
// headers.
func (m *Monitor) Publisher(next publisher.Publisher) publisher.Publisher { return tracing{m, next} }

type tracing struct {
	*Monitor
	next publisher.Publisher
}

// Publish makes a span that ends when the broker has confirmed the message.
func (t tracing) Publish(ctx context.Context, routingKey string, payload any, opts ...publisher.Option) error {
	ctx, span := t.start(ctx, routingKey, 1)
	err := t.next.Publish(ctx, routingKey, payload, t.carry(ctx, opts)...)
	t.end(ctx, span, routingKey, 1, err)
	return err
}

// PublishAsync makes a span that ends when the Confirmation is done.
func (t tracing) PublishAsync(ctx context.Context, routingKey string, payload any, opts ...publisher.Option) (publisher.Confirmation, error) {
	ctx, span := t.start(ctx, routingKey, 1)
	c, err := t.next.PublishAsync(ctx, routingKey, payload, t.carry(ctx, opts)...)
	if err != nil {
		t.end(ctx, span, routingKey, 1, err)
		return c, err
	}
	span.SetAttributes(semconv.MessagingMessageID(c.MessageID()))
	go func() { // ends when the Confirmation is done, at the latest when the publisher stops
		<-c.Done()
		defer func() { _ = recover() }() // of a user's span processor: a trace is not worth a process
		t.end(ctx, span, routingKey, 1, c.Err())
	}()
	return c, nil
}

// PublishBatch makes one span, whose context all messages carry.
func (t tracing) PublishBatch(ctx context.Context, messages ...publisher.Message) error {
	key := ""
	carrying := make([]publisher.Message, len(messages))
	for i, msg := range messages {
		if i == 0 {
			key = msg.RoutingKey
		} else if key != msg.RoutingKey {
			key = "" // the messages have several keys
		}
	}
	ctx, span := t.start(ctx, key, len(messages))
	for i, msg := range messages {
		msg.Options = t.carry(ctx, msg.Options)
		carrying[i] = msg
	}
	err := t.next.PublishBatch(ctx, carrying...)
	t.end(ctx, span, key, len(messages), err)
	return err
}

func (t tracing) start(ctx context.Context, routingKey string, n int) (context.Context, trace.Span) {
	attributes := []attribute.KeyValue{semconv.MessagingSystemRabbitMQ, semconv.MessagingOperationTypeSend, semconv.MessagingOperationName("send")}
	name := "send"
	if routingKey != "" {
		name += " " + routingKey
		attributes = append(attributes, semconv.MessagingDestinationName(routingKey), semconv.MessagingRabbitMQDestinationRoutingKey(routingKey))
	}
	if n > 1 {
		attributes = append(attributes, semconv.MessagingBatchMessageCount(n))
	}
	return t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(attributes...))
}

// carry adds the span's headers after the caller's options. So they replace the trace headers of a
// forwarded message.
func (t tracing) carry(ctx context.Context, opts []publisher.Option) []publisher.Option {
	h := headers{}
	t.propagator.Inject(ctx, h)
	if len(h) == 0 {
		return opts
	}
	return append(opts[:len(opts):len(opts)], publisher.Headers(h))
}

func (t tracing) end(ctx context.Context, span trace.Span, routingKey string, n int, err error) {
	defer span.End()
	var attributes []attribute.KeyValue
	if routingKey != "" {
		attributes = append(attributes, semconv.MessagingDestinationName(routingKey))
	}
	if err != nil {
		kind := semconv.ErrorType(err)
		attributes = append(attributes, kind)
		span.SetAttributes(kind)
		span.RecordError(err)
		span.SetStatus(codes.Error, err.Error())
	}
	t.sent.Add(ctx, int64(n), "send", messagingconv.SystemRabbitMQ, attributes...)
}
