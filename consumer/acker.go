package consumer

import "errors"

// ack acknowledges a delivery on the channel that it came from, and says whether it did. A
// delivery of a session that has ended is the broker's again: its ack is dropped and
// counted, and never sent on another channel, where its tag is another message's.
func (s *session) ack(d *received) bool {
	err := errSessionOver
	if s.ctx.Err() == nil {
		err = s.ch.Ack(d.raw.DeliveryTag, false)
	}
	s.settled(d)
	if err != nil {
		s.consumer.stale.Add(1)
		s.consumer.log.Info("session ended before the ack, the broker delivers the message again", "message_id", d.MessageID, "err", err)
	}
	return err == nil
}

// giveBack returns deliveries to their queue, in the order given. Brokers before 4.3 count
// that as a delivery.
func (s *session) giveBack(all ...*received) {
	for _, d := range all {
		if s.ctx.Err() == nil {
			_ = s.ch.Nack(d.raw.DeliveryTag, false, true) // if that fails the channel has ended, and they are back
		}
		s.settled(d)
	}
}

// leave keeps one delivery unacked until the channel is closed, which follows: the queue then has it back in
// its place.
func (s *session) leave(d *received) bool {
	s.settled(d)
	return s.ctx.Err() == nil
}

var errSessionOver = errors.New("the session is over")
