// Package brokertest runs whole apps in a test: all their consumers and publishers, on a broker in
// memory and in simulated time, or on a real broker.
//
//	func TestOrders(t *testing.T) {
//		brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
//			app := fxtest.New(t, app(), b.Option())
//			app.RequireStart()
//			defer app.RequireStop()
//			...
//			b.Settle(time.Hour) // with retries of minutes, in milliseconds
//			b.Want("orders", brokertest.Status{Parked: 1})
//		})
//	}
//
// What runs is the code of production, down to what is sent to a broker: topologies, retries,
// delays, quarantine, error queues and redrives. So a message for a routing key that no queue has
// fails with publisher.ErrUnroutable. A test can cut connections, restart the broker, fill or
// delete a queue, raise an alarm and kill a process.
//
// [Run] is a bubble of testing/synctest. What waits in a bubble for the world outside holds up its
// time, such as a socket: an HTTP server of the app is put behind net.Pipe or called as a handler.
// A goroutine that waits for a lock of package sync holds it up too; one that waits for a channel
// made in the bubble does not. When the test has waited for its bubble for 10 s of real time, Run
// says so on stderr.
//
// # What the broker in memory does not do
//
// It behaves as RabbitMQ 4.3 towards whoever declares, publishes, consumes and settles; scripts
// show that it does as real brokers do. It does not have:
//
//   - clusters, and a node that fails: it is one that loses nothing, also at a restart;
//   - policies, permissions, users, several vhosts: each client may do all, and connection.Named
//     leads to the same broker;
//   - the management API: what reads policies says that it does not know them;
//   - of streams: x-max-length-bytes, filters, intervals as offsets ("1h"), chunks of more than one
//     record, and that a passive declare counts records some seconds late;
//   - priorities of messages (x-max-priority), the lifetime of queues (x-expires), alternate
//     exchanges, exchanges bound to exchanges, exchange types of plugins, CC and BCC, transactions;
//   - what RabbitMQ does with a message for several queues of which one is full: here none of the
//     queues gets it;
//   - refusals of what RabbitMQ 4.3 has given up, such as a transient queue that is not exclusive;
//   - a consumer_timeout, heartbeats, and limits of frames, channels, connections and messages;
//   - AMQP 1.0, MQTT, STOMP, TLS and logins;
//   - connection.Connection.Channel, which is a channel of the client library: it returns an error.
//     Give what needs one to a test with a real broker.
//
// What it does takes no time, so that a test can look at what is where. Only when 250,000 frames
// have come at one moment, which are some 40,000 messages, does each thousand of them take a
// second: else no time would pass for a test with a handler that publishes to its own queue without
// end.
//
// Where an alarm blocks who publishes, it does so until its time is over. No disk and no memory is
// looked at.
package brokertest
