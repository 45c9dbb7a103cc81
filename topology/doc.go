// Package topology says which exchanges, queues and bindings a consumer needs, and declares them.
//
// [New] turns a [Plan], which a person configures, into a [Topology]. A Topology is plain data: it
// can be printed, compared and tested without a broker.
//
//	t, err := topology.New(topology.Plan{
//		Queue:  "orders",
//		Delays: []time.Duration{10 * time.Second, time.Minute},
//	})
//
// Each delay has its own retry queue. A broker expires messages only at a queue's head. In a shared
// queue, a message that waits a second would wait an hour behind one that waits an hour
// (https://www.rabbitmq.com/docs/ttl#per-message-ttl-caveats). The delay is a part of the queue's
// name. So a changed schedule declares new queues instead of colliding with the arguments of old
// ones, and the old ones drain.
//
// [Topology.Declare] declares a Topology at a broker. When the broker refuses something, the error
// says what is wrong and what to do: see [MismatchError], [ErrMissing], [ErrRefused], [ErrInvalid]
// and [ErrUnchecked].
package topology
