// Package monitoring reports what became of each delivery.
//
// A [Monitor] is called when a handler is about to run, and after the message was settled. [Log]
// writes one line of log/slog for each delivery; an application that chooses no Monitor has it.
// [Callbacks] makes a Monitor of a few functions, with the names of Clojure's Bunnicula. [Multi]
// calls several monitors.
//
// The packages below this one report to Prometheus, OpenTelemetry, StatsD and Sentry. To write a
// Monitor of your own, implement the two methods, run it through monitoringtest.Conformance, and
// give its constructor to [Provide].
package monitoring
