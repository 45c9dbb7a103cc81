package peer

import "encoding/binary"

// channel is one channel of a connection. The connection's lock guards it.
type channel struct {
	id        uint16
	prefetch  int // of later consumers; 0 is no bound
	consumers []*consumer
	unsettled unsettled

	confirms  bool   // after confirm.select
	published uint64 // how many, which is also the last tag
	confirmed uint64 // the last confirmed tag
	content   bool   // a header frame must come next
	bodyLeft  uint64 // missing bytes of the message that is arriving
}

// consumer is one subscription.
type consumer struct {
	tag      string
	template template
	autoAck  bool
	limited  bool
	left     int64 // remaining messages, if limited
	prefetch int
	open     int // deliveries that are not settled
	gone     bool
}

// credit says whether the consumer may get another message.
func (c *consumer) credit() bool {
	return !c.gone && (!c.limited || c.left > 0) && (c.autoAck || c.prefetch == 0 || c.open < c.prefetch)
}

// deliver appends deliveries until the credit ends, or until b has the length limit.
func (ch *channel) deliver(b []byte, limit int, counts *counters) []byte {
	n := int64(0)
	for i, c := range ch.consumers {
		for len(b) < limit && c.credit() {
			var tag uint64
			if c.autoAck {
				tag = ch.unsettled.add(i)
				ch.unsettled.settle(tag, false, func(int) {})
			} else {
				tag = ch.unsettled.add(i)
				c.open++
			}
			if c.limited {
				c.left--
			}
			b = c.template.append(b, tag)
			n++
		}
	}
	if n > 0 {
		counts.delivered.Add(n)
	}
	return b
}

// settle processes an ack or a nack. It is false for an unknown tag.
func (ch *channel) settle(tag uint64, multiple, requeue bool, counts *counters) bool {
	n := int64(0)
	known := ch.unsettled.settle(tag, multiple, func(i int) {
		c := ch.consumers[i]
		c.open--
		if requeue {
			c.left++
		}
		n++
	})
	if requeue {
		counts.givenBack.Add(n)
	} else {
		counts.acked.Add(n)
	}
	counts.settlements.Add(1)
	return known
}

// confirm appends one ack for all messages since the last one.
func (ch *channel) confirm(b []byte, counts *counters) []byte {
	if !ch.confirms || ch.confirmed == ch.published {
		return b
	}
	multiple := byte(0)
	if ch.published-ch.confirmed > 1 {
		multiple = 1
	}
	b, start := begin(b, frameMethod, ch.id)
	b = binary.BigEndian.AppendUint16(b, basicAck.class)
	b = binary.BigEndian.AppendUint16(b, basicAck.method)
	b = binary.BigEndian.AppendUint64(b, ch.published)
	b = end(append(b, multiple), start)
	ch.confirmed = ch.published
	counts.confirms.Add(1)
	return b
}
