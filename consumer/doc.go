// Package consumer runs a function for each message of a queue and carries out what
// it says: ack, retry later, or park in the error queue.
//
// A person writes a [Handler], usually through [JSON], and a [Spec]. A
// [Consumer] declares the queues, runs the handler with bounded concurrency and a
// timeout, and settles: whatever is retried or parked is first published and confirmed,
// and only then acked, so that no fault loses a message. It may be handled twice;
// handlers should be idempotent.
//
// One delivery flows one way through the files of this package:
//
//	receive -> decode -> attempt -> settlement -> settle -> report
package consumer
