// Package topology says which exchanges, queues and bindings a consumer needs,
// and declares them.
//
// [New] turns a [Plan], which is what a person configures, into a [Topology],
// which is plain data: it can be printed, compared and tested without a broker.
//
//	t, err := topology.New(topology.Plan{
//		Queue:  "orders",
//		Delays: []time.Duration{10 * time.Second, time.Minute},
//	})
//
// A message waits in a queue whose every message waits equally long, because a
// broker looks for expired messages only at a queue's head: behind one that waits
// an hour, one that waits a second waits an hour too
// (https://www.rabbitmq.com/docs/ttl#per-message-ttl-caveats). The delay is a part
// of the queue's name, so a new schedule declares new queues and cannot collide
// with the arguments of old ones, which simply drain.
//
// [Topology.Declare] makes it so. What the broker refuses comes back as an error
// that says what is wrong and what to do: see [MismatchError], [ErrMissing],
// [ErrRefused] and [ErrUnchecked].
//
// The package imports nothing but the AMQP client.
package topology
