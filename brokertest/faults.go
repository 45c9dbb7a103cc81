package brokertest

import (
	"time"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// Cut cuts the TCP connections of all processes in the middle of what goes on. They connect again.
// What they had not acked goes back to its queues. On a real broker these are the connections to
// publish and to consume.
func (b *Broker) Cut() {
	b.mu.Lock()
	var all []transport.Connection
	for _, p := range b.processes {
		all = append(all, p.connections()...)
	}
	b.mu.Unlock()
	b.site.cut(all)
}

// Restart cuts all TCP connections, and lets nobody connect while the broker is down. Queues and
// messages stay. It returns at once. A real broker cannot be told to: the test fails.
func (b *Broker) Restart(down time.Duration) {
	b.t.Helper()
	if m := b.told("Restart"); m != nil {
		m.Restart(down)
	}
}

// Alarm blocks whoever publishes for the time d, as a broker does whose memory or disk is short. It
// returns at once. A real broker cannot be told to: the test fails.
func (b *Broker) Alarm(d time.Duration) {
	b.t.Helper()
	if m := b.told("Alarm"); m != nil {
		m.Alarm(d)
	}
}

// Full lets a queue refuse for the time d all that is published to it: a nack, as of a queue that
// has reached its x-max-length with the overflow reject-publish. It returns at once. A real broker
// cannot be told to: the test fails.
func (b *Broker) Full(queue string, d time.Duration) {
	b.t.Helper()
	if m := b.told("Full"); m != nil && !m.Full(queue, d) {
		b.t.Fatalf("brokertest: Full: %s", unknown(queue, b.site.queues()))
	}
}

// Delete deletes a queue with its messages. Its consumers are told.
func (b *Broker) Delete(queue string) {
	b.t.Helper()
	if _, there := b.site.count(queue); !there {
		b.t.Fatalf("brokertest: Delete: %s", unknown(queue, b.site.queues()))
	}
	b.site.remove(queue)
}

// told is the broker in memory.
func (b *Broker) told(what string) memory {
	b.t.Helper()
	m := b.site.memory()
	if m == nil {
		b.t.Fatalf("brokertest: %s: only a broker in memory can be told to. Ask Broker.InMemory before, or leave this to a test with brokertest.Run", what)
	}
	return m
}
