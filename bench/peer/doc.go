// Package peer is an AMQP 0-9-1 server that counts instead of storing. It is for benchmarks, and for nothing else:
// no message that is published to it is kept, every one is confirmed, and what it delivers was made up.
//
// What is measured beside it is the client's own work. So it must be cheap: a delivery is copied from bytes that
// were made once, with its tag patched in, many of them leave in one write, and no message costs an allocation.
// It keeps to the protocol all the same, and to what a client may rely on: the prefetch of each consumer bounds what is
// unacked, an ack for an unknown tag ends the channel, and confirms come in order.
//
//	server.go    listens; Counts
//	conn.go      one connection: a goroutine that reads, and one that writes
//	handshake.go from the protocol header to connection.open
//	method.go    what a channel's methods do
//	channel.go   consumers, credit, confirms
//	unsettled.go which delivery tags have no ack yet
//	delivery.go  the prebuilt frames
//	frame.go     reading and writing of frames and their fields
package peer
