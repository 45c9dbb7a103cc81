// Package connection keeps one logical connection to RabbitMQ alive.
//
// A [Connection] is two TCP connections, one to publish and one to consume, so
// that a broker which blocks publishers never stops an ack. Each is opened when
// it is first needed, watched, and opened again for as long as it takes when it
// is lost. One such TCP connection's life is a session; nothing of a session
// outlives it.
//
// Most apps give a [Config] to [Module] and never call anything here.
package connection
