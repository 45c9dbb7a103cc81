package consumer

import "github.com/bunnicula-go/bunnicula/internal/transport"

// refused rejects a message whose headers the client cannot read, so that the broker parks it whole; a copy of it
// would not be what it was. Where the broker may lose what it dead-letters, the session ends instead, as it would
// without the reader of headers.
func (c *Consumer) refused(d *received) bool {
	if _, illegible := d.raw.Headers[transport.HeaderIllegible]; !illegible || d.session == nil {
		return false
	}
	if c.topology.Queues[0].Arguments["x-dead-letter-strategy"] != "at-least-once" {
		d.session.link.Abort(transport.ErrUnreadable)
		return true
	}
	s := d.session
	_ = s.acker.settle(d.raw.DeliveryTag, func() error { return s.ch.Reject(d.raw.DeliveryTag, false) }) // else the session has ended
	s.settled(d)
	return true
}
