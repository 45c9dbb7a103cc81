// Package peer is an AMQP 0-9-1 server that counts messages instead of storing them. It is only for
// benchmarks: it confirms every published message, and delivers generated messages.
//
// It keeps published messages only for retry queues: those with x-message-ttl and
// x-dead-letter-routing-key. The message must be sent to the default exchange. When its time is
// over, a consumer of the other queue gets it, with the headers in which RabbitMQ 4 says where it
// has waited. Then the peer forgets it: if it is given back, a generated one comes instead. The
// peer does not look for an expiration of the message, nor for earlier deaths.
//
// A benchmark with the peer measures the client's own work, so the peer must be cheap. A delivery
// is copied from prebuilt bytes, and only its tag is filled in. Many deliveries share one write,
// and no message causes an allocation. Still the peer follows the protocol, and guarantees what a
// client may rely on: the prefetch of each consumer bounds the unacked messages, an ack for an
// unknown tag ends the channel, and confirms come in order.
//
//	server.go    listens; Counts
//	conn.go      one connection: a goroutine that reads, and one that writes
//	handshake.go from the protocol header to connection.open
//	method.go    the methods of a channel
//	channel.go   consumers, credit, confirms
//	unsettled.go the delivery tags without an ack
//	delivery.go  the prebuilt frames
//	wait.go      retry queues
//	message.go   the messages in them
//	frame.go     reading and writing of frames and their fields
package peer
