package peer

import (
	"encoding/binary"
	"time"
)

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
	queue     *retryQueue
	message   *message // what is kept of the message that is arriving, if its queue is a retry queue
}

// consumer is one subscription.
type consumer struct {
	tag      string
	template template
	waited   *deadEnds
	autoAck  bool
	limited  bool
	left     int64 // remaining messages, if limited
	prefetch int
	open     int // deliveries that are not settled
	gone     bool
}

// credit says whether the consumer may get another message.
func (c *consumer) credit() bool {
	return !c.gone && (c.autoAck || c.prefetch == 0 || c.open < c.prefetch)
}

// deliver appends deliveries until the credit ends, or until b has the length limit. Messages that
// have waited are behind the others, as at the end of a queue.
func (ch *channel) deliver(b []byte, limit int, counts *counters) []byte {
	n, expired := int64(0), int64(0)
	for i, c := range ch.consumers {
		for len(b) < limit && c.credit() && (!c.limited || c.left > 0) {
			if c.limited {
				c.left--
			}
			at := len(b)
			b = c.template.append(b)
			c.template.fill(b, at, ch.assign(i))
			n++
		}
		for len(b) < limit && c.credit() {
			at, found := len(b), false
			if b, found = c.waited.append(c.template.appendMethod(b), ch.id); !found {
				b = b[:at]
				break
			}
			c.template.fill(b, at, ch.assign(i))
			expired++
		}
	}
	if n+expired > 0 {
		counts.delivered.Add(n + expired)
		counts.expired.Add(expired)
	}
	return b
}

// assign returns the tag of the next delivery to a consumer.
func (ch *channel) assign(i int) uint64 {
	tag := ch.unsettled.add(i)
	if c := ch.consumers[i]; c.autoAck {
		ch.unsettled.settle(tag, false, func(int) {})
	} else {
		c.open++
	}
	return tag
}

// until returns how long the next message that waits for a consumer's credit still has to wait.
func (ch *channel) until() (next time.Duration, any bool) {
	for _, c := range ch.consumers {
		if !c.credit() {
			continue // it has an ack to give, which wakes the writer
		}
		if wait, some := c.waited.until(); some && (!any || wait < next) {
			next, any = wait, true
		}
	}
	return next, any
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
