package otel

import (
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// Config says where traces and metrics go.
type Config struct {
	// TracerProvider makes the spans.
	//
	// Defaults to otel.GetTracerProvider().
	TracerProvider trace.TracerProvider

	// MeterProvider makes the instruments.
	//
	// Defaults to otel.GetMeterProvider().
	MeterProvider metric.MeterProvider

	// Propagator writes a span's context into a message's headers, and reads it.
	//
	// Defaults to W3C's trace context and baggage.
	Propagator propagation.TextMapPropagator

	// Parent makes a message's first attempt a child of its publish. Further attempts are linked
	// to the publish in any case.
	//
	// Defaults to false: the first attempt is linked too.
	Parent bool

	// RoutingKeys are the routing keys by which publishes are told apart in span names and metrics,
	// or patterns of them. In a pattern, as in a topic exchange, * stands for one word and # for any
	// number of words: order.*.created. The first that matches is the name. Keys that none matches
	// are "other" in metrics, and their spans are called "send". So there are no more names than
	// patterns, although keys may have ids in them. A span has the key itself as an attribute.
	//
	// Defaults to none: all keys are "other".
	RoutingKeys []string
}

func (c Config) withDefaults() Config {
	if c.TracerProvider == nil {
		c.TracerProvider = otel.GetTracerProvider()
	}
	if c.MeterProvider == nil {
		c.MeterProvider = otel.GetMeterProvider()
	}
	if c.Propagator == nil {
		c.Propagator = propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{})
	}
	return c
}
