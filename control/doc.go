// Package control tells operators and other programs what an app's consumers do while they do it.
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
