// Package connection keeps one logical connection to RabbitMQ alive.
//
// A [Connection] is two TCP connections, one to publish and one to consume, so that a broker that
// blocks publishers does not stop acks. Each is opened when it is first needed, and reopened when
// it is lost, for as long as that takes. The life of one TCP connection is a session. Nothing of a
// session outlives it.
//
// Most applications give a [Config] to [Module] and call nothing else of this package.
package connection
