package sending

import amqp "github.com/rabbitmq/amqp091-go"

// scratch has the copy of a message whose body is lent (Envelope.Lent) while it is written. Only
// the carrier of a channel uses it.
type scratch struct {
	msg  amqp.Publishing
	body []byte
}

// largestScratch is the largest body for which a scratch keeps memory between two messages.
const largestScratch = 1 << 20

// copy returns msg with a copy of its body. It is good until the next call of copy or of release.
func (s *scratch) copy(msg *amqp.Publishing) *amqp.Publishing {
	s.body = append(s.body[:0], msg.Body...)
	s.msg = *msg
	s.msg.Body = s.body
	return &s.msg
}

// release lets go of a message that was written.
func (s *scratch) release() {
	s.msg = amqp.Publishing{}
	if cap(s.body) > largestScratch {
		s.body = nil
	}
}
