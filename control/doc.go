// Package control is for operators of consumers that run in many processes. It has two halves:
// events tell what consumers do, and orders tell consumers what to do.
//
// # Orders
//
// A [Fleet], and so the command "bunnicula control", pauses, limits and resumes the consumers of
// all processes that have [Module], or an [Agent] in an app without fx:
//
//	fx.New(connection.Module, publisher.Module, consumer.Module, control.Module, ...)
//
//	$ bunnicula control pause orders --for 2h
//
// Orders are on a stream of RabbitMQ, which each process reads from its first record on, before its
// consumers start. So an order holds over restarts. It ends by itself, or stands until somebody
// lifts it. The last order for a consumer is the one that counts, everywhere. A Fleet also asks
// what runs: message, attempt, since when, and the stack of a stuck handler.
//
// Whoever may write to the exchange of orders may stop an app: docs/SECURITY.md has the
// permissions, and docs/OPERATIONS.md what a pause means. If the stream cannot be read the
// consumers work, and log and health say so. docs/wire has the format.
//
// # Events
//
// [Events] is a monitor that publishes what became of messages to a topic exchange, as small JSON
// messages, one for each that was retried, parked or redriven. The command "bunnicula events" shows
// them as they come:
//
//	fx.New(
//		connection.Module, publisher.Module, consumer.Module,
//		control.EventsModule, // beside the log, which stays
//		...
//	)
//
//	$ bunnicula events --what parked
//
// [Event] is the body of such a message, for consumers in Go; docs/wire has the format for those in
// other languages. [EventKey] is its routing key, to bind a queue to:
//
//	topology.Bind{Exchange: control.EventsExchange, Kind: "topic", Keys: []string{"#.parked"}}
//
// Events are for looking, not for deciding. One may be missing: when the broker is slow or away
// they are dropped and counted, so that no handler waits for them. After a lost connection one may
// come twice, with the same message id. What is parked is in the error queue, and that is the
// truth.
package control
