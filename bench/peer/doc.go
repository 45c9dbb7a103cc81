// Package peer is an AMQP 0-9-1 server that counts messages instead of storing them. It is only for
// benchmarks: it keeps no published message, confirms every one, and delivers generated messages.
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
//	frame.go     reading and writing of frames and their fields
package peer
