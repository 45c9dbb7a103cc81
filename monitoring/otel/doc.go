// Package otel makes OpenTelemetry traces and metrics of deliveries and publishes, in the words of OpenTelemetry's semantic
// conventions for messaging (https://opentelemetry.io/docs/specs/semconv/messaging/, version 1.43).
//
// Each attempt is a span "process <queue>", with the outcome, and with an error if it failed. The context that
// a handler gets is the span's. Each publish is a span "send <routing key>", and the message carries its context on (traceparent,
// tracestate, baggage: whatever the propagator writes).
//
// A message may wait for hours, and be tried again for days, so an attempt is a trace of its own that is *linked* to
// the publish, not a part of it; each retry is linked to the same. Copies to retry and error queues keep those headers, and so does redriving.
// [Config.Parent] makes first attempts children of the publish, for those who would rather see one trace.
//
// A delivery whose session ended before it was settled has no span: nobody is told of its end.
//
// The metrics are messaging.process.duration, messaging.client.consumed.messages and messaging.client.sent.messages.
//
// In an fx app, add [Module]. Elsewhere, [New] and [Monitor.Publisher].
package otel
