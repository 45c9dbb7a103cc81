package consumer

import "errors"

// ack acknowledges a delivery on the channel that it came from, and says whether it did. A
// delivery of a session that has ended is the broker's again: its ack is dropped and
// counted, and never sent on another channel, where its tag is another message's.
func (s *session) ack(d *received) bool {
	return s.answer(d, func() error { return s.ch.Ack(d.raw.DeliveryTag, false) })
}

// giveBack returns a delivery to its queue. Brokers before 4.3 count that as a delivery.
func (s *session) giveBack(d *received) bool {
	return s.answer(d, func() error { return s.ch.Nack(d.raw.DeliveryTag, false, true) })
}

func (s *session) answer(d *received, send func() error) bool {
	defer s.settled()
	err := errSessionOver
	if s.ctx.Err() == nil {
		err = send()
	}
	if err != nil {
		s.consumer.stale.Add(1)
		s.consumer.log.Info("session ended before the ack, the broker delivers the message again", "message_id", d.MessageID, "err", err)
		return false
	}
	return true
}

var errSessionOver = errors.New("the session is over")
