// Package otel makes OpenTelemetry traces and metrics of deliveries and publishes. Names and
// attributes follow OpenTelemetry's semantic conventions for messaging
// (https://opentelemetry.io/docs/specs/semconv/messaging/, version 1.43).
//
// Each attempt is a span "process <queue>" with the outcome, and with an error if it failed. The
// handler's context holds the span. Each publish is a span "send <routing key or pattern>", for the
// keys and patterns of [Config.RoutingKeys], or else "send". The message carries that span's
// context in the headers that the propagator writes: traceparent, tracestate, baggage.
//
// A message may wait for hours and be retried for days. So each attempt is a trace of its own,
// *linked* to the publish. Copies to retry and error queues keep the headers, and so does
// redriving, so that every attempt is linked to the same publish. [Config.Parent] makes first
// attempts children of the publish instead.
//
// A delivery whose session ended before it was settled has no span, because no Monitor is told of
// its end.
//
// The metrics are messaging.process.duration, messaging.client.consumed.messages and
// messaging.client.sent.messages. Their attributes are the queue, or for publishes the key or
// pattern of Config.RoutingKeys, and for failures the reason or the error's type. So there are as
// many series as queues, patterns and types, whatever is in messages. A publish's key has the
// attribute messaging.destination.name, a pattern has messaging.destination.template, and "other"
// is the template of keys that no pattern matches.
//
// What others have written is on spans only: as UTF-8, ids of up to 255 bytes, an error's text of
// up to 4 KiB.
//
// In an fx app, add [Module]. Elsewhere, [New] and [Monitor.Publisher].
package otel
