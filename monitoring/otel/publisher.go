package otel

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/messagingconv"
	"go.opentelemetry.io/otel/trace"

	"github.com/bunnicula-go/bunnicula/internal/foreign"
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
	to := t.to(routingKey)
	ctx, span := t.start(ctx, to, 1)
	err := t.next.Publish(ctx, routingKey, payload, t.carry(ctx, opts)...)
	t.end(ctx, span, to, 1, err)
	return err
}

// PublishAsync makes a span that ends when the Confirmation is done.
func (t tracing) PublishAsync(ctx context.Context, routingKey string, payload any, opts ...publisher.Option) (publisher.Confirmation, error) {
	to := t.to(routingKey)
	ctx, span := t.start(ctx, to, 1)
	c, err := t.next.PublishAsync(ctx, routingKey, payload, t.carry(ctx, opts)...)
	if err != nil {
		t.end(ctx, span, to, 1, err)
		return c, err
	}
	span.SetAttributes(semconv.MessagingMessageID(foreign.Cut(c.MessageID(), maxAttribute)))
	go func() { // ends when the Confirmation is done, at the latest when the publisher stops
		<-c.Done()
		defer func() { _ = recover() }() // of a user's span processor: a trace is not worth a process
		t.end(ctx, span, to, 1, c.Err())
	}()
	return c, nil
}

// PublishBatch makes one span, whose context all messages carry.
func (t tracing) PublishBatch(ctx context.Context, messages ...publisher.Message) error {
	to, carrying := t.toAll(messages), make([]publisher.Message, len(messages))
	ctx, span := t.start(ctx, to, len(messages))
	for i, msg := range messages {
		msg.Options = t.carry(ctx, msg.Options)
		carrying[i] = msg
	}
	err := t.next.PublishBatch(ctx, carrying...)
	t.end(ctx, span, to, len(messages), err)
	return err
}

// address is where the messages of a span go.
type address struct {
	key  string // "" if they have several
	name name
}

func (t tracing) to(routingKey string) address {
	return address{foreign.Cut(routingKey, maxKey), t.keys.of(routingKey)}
}

// toAll returns the address of a batch, without what its messages do not have in common.
func (t tracing) toAll(messages []publisher.Message) address {
	var all address
	for i, msg := range messages {
		to := t.to(msg.RoutingKey)
		if i == 0 {
			all = to
		}
		if to.key != all.key {
			all.key = ""
		}
		if to.name != all.name {
			all.name = name{}
		}
	}
	return all
}

func (t tracing) start(ctx context.Context, to address, n int) (context.Context, trace.Span) {
	attributes := []attribute.KeyValue{semconv.MessagingSystemRabbitMQ, semconv.MessagingOperationTypeSend, semconv.MessagingOperationName("send")}
	if to.key != "" {
		attributes = append(attributes, semconv.MessagingDestinationName(to.key), semconv.MessagingRabbitMQDestinationRoutingKey(to.key))
	}
	if to.name.isTemplate() {
		attributes = append(attributes, to.name.attributes()...)
	}
	if n > 1 {
		attributes = append(attributes, semconv.MessagingBatchMessageCount(n))
	}
	return t.tracer.Start(ctx, to.name.span(), trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(attributes...))
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

func (t tracing) end(ctx context.Context, span trace.Span, to address, n int, err error) {
	defer span.End()
	attributes := to.name.attributes()
	if err != nil {
		kind := semconv.ErrorTypeKey.String(typeOf(err))
		attributes = append(attributes, kind)
		span.SetAttributes(kind)
		recordError(span, err, "")
	}
	t.sent.Add(ctx, int64(n), "send", messagingconv.SystemRabbitMQ, attributes...)
}
