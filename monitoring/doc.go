// Package monitoring tells what became of each delivery.
//
// A [Monitor] is told when a handler is about to run and what was done about the message. [Log]
// writes one line of log/slog for each delivery; an app that chooses no Monitor has it. [Callbacks]
// makes a Monitor of a few functions, with the names of Clojure's Bunnicula. [Multi] feeds several.
//
// The packages below this one report to Prometheus, OpenTelemetry, StatsD and Sentry. To write a
// Monitor of your own, implement the two methods, run it through monitoringtest.Conformance, and
// give its constructor to [Provide].
package monitoring
