package peer

import (
	"encoding/binary"
	"fmt"
)

// methodID is a class and a method.
type methodID struct{ class, method uint16 }

// The methods that the peer understands, and their answers.
var (
	connectionStart   = methodID{10, 10}
	connectionStartOk = methodID{10, 11}
	connectionTune    = methodID{10, 30}
	connectionTuneOk  = methodID{10, 31}
	connectionOpen    = methodID{10, 40}
	connectionOpenOk  = methodID{10, 41}
	connectionClose   = methodID{10, 50}
	connectionCloseOk = methodID{10, 51}

	channelOpen    = methodID{20, 10}
	channelOpenOk  = methodID{20, 11}
	channelClose   = methodID{20, 40}
	channelCloseOk = methodID{20, 41}

	exchangeDeclare   = methodID{40, 10}
	exchangeDeclareOk = methodID{40, 11}
	exchangeDelete    = methodID{40, 20}
	exchangeDeleteOk  = methodID{40, 21}

	queueDeclare   = methodID{50, 10}
	queueDeclareOk = methodID{50, 11}
	queueBind      = methodID{50, 20}
	queueBindOk    = methodID{50, 21}
	queuePurge     = methodID{50, 30}
	queuePurgeOk   = methodID{50, 31}
	queueDelete    = methodID{50, 40}
	queueDeleteOk  = methodID{50, 41}

	basicQos       = methodID{60, 10}
	basicQosOk     = methodID{60, 11}
	basicConsume   = methodID{60, 20}
	basicConsumeOk = methodID{60, 21}
	basicCancel    = methodID{60, 30}
	basicCancelOk  = methodID{60, 31}
	basicPublish   = methodID{60, 40}
	basicDeliver   = methodID{60, 60}
	basicGet       = methodID{60, 70}
	basicGetEmpty  = methodID{60, 72}
	basicAck       = methodID{60, 80}
	basicReject    = methodID{60, 90}
	basicNack      = methodID{60, 120}

	confirmSelect   = methodID{85, 10}
	confirmSelectOk = methodID{85, 11}
)

// Reply codes (AMQP 0-9-1, section 1.3).
const (
	preconditionFailed = 406
	notAllowed         = 530
	unexpectedFrame    = 505
	syntaxError        = 502
	notImplemented     = 540
)

// handle processes one frame, and says whether it was the last one.
func (c *conn) handle(f frame) (last bool) {
	if f.kind == frameHeartbeat {
		return false
	}
	if f.channel == 0 {
		return c.onConnection(f)
	}
	ch := c.channels[f.channel]
	switch f.kind {
	case frameMethod:
		args := fields{b: f.payload}
		m := methodID{args.uint16(), args.uint16()}
		return c.onMethod(f.channel, ch, m, &args)
	case frameHeader:
		if ch == nil || !ch.content {
			return c.fail(unexpectedFrame, "a header that nobody expected")
		}
		args := fields{b: f.payload}
		args.take(4)
		ch.content, ch.bodyLeft = false, args.uint64()
		if ch.queue != nil {
			ch.message = c.server.waiting.blank()
			if !ch.message.hold(f.payload) {
				return c.fail(syntaxError, "the properties are cut short")
			}
		}
		if ch.bodyLeft == 0 {
			c.complete(ch)
		}
	case frameBody:
		if ch == nil || ch.content || uint64(len(f.payload)) > ch.bodyLeft || len(f.payload) == 0 {
			return c.fail(unexpectedFrame, "a body that nobody expected")
		}
		if ch.queue != nil {
			ch.message.body = append(ch.message.body, f.payload...)
		}
		if ch.bodyLeft -= uint64(len(f.payload)); ch.bodyLeft == 0 {
			c.complete(ch)
		}
	default:
		return c.fail(unexpectedFrame, "a frame of an unknown type")
	}
	return false
}

// complete is called at the end of a published message.
func (c *conn) complete(ch *channel) {
	ch.published++
	c.server.counts.published.Add(1)
	if ch.queue != nil && ch.queue.put(ch.message) {
		c.server.poke() // the consumer's writer has nothing else to wait for
	}
	ch.queue, ch.message = nil, nil
}

func (c *conn) onConnection(f frame) (last bool) {
	args := fields{b: f.payload}
	switch m := (methodID{args.uint16(), args.uint16()}); m {
	case connectionClose:
		c.out = method(c.out, 0, connectionCloseOk, nil)
		c.closing = true
		return true
	case connectionCloseOk:
		c.closing = true
		return true
	default:
		return c.fail(notImplemented, fmt.Sprintf("method %v on channel 0", m))
	}
}

// fail closes the connection of a client that violates the protocol.
func (c *conn) fail(code uint16, text string) (last bool) {
	c.broken = fmt.Errorf("%d %s", code, text)
	c.out = method(c.out, 0, connectionClose, func(b []byte) []byte { return appendReason(b, code, text) })
	c.closing = true
	return true
}

// refuse closes the channel.
func (c *conn) refuse(ch *channel, code uint16, text string) {
	c.drop(ch)
	c.out = method(c.out, ch.id, channelClose, func(b []byte) []byte { return appendReason(b, code, text) })
}

func appendReason(b []byte, code uint16, text string) []byte {
	b = appendShort(binary.BigEndian.AppendUint16(b, code), text)
	return append(b, 0, 0, 0, 0)
}

func (c *conn) drop(ch *channel) {
	delete(c.channels, ch.id)
	for i, other := range c.order {
		if other == ch {
			c.order = append(c.order[:i:i], c.order[i+1:]...)
			return
		}
	}
}

// onMethod processes a method on a channel; ch is nil if the channel is not open.
func (c *conn) onMethod(id uint16, ch *channel, m methodID, args *fields) (last bool) {
	switch {
	case m == channelOpen && ch == nil:
		ch = &channel{id: id}
		c.channels[id] = ch
		c.order = append(c.order, ch)
		c.out = method(c.out, id, channelOpenOk, func(b []byte) []byte { return appendLong(b, "") })
		return false
	case m == channelCloseOk:
		return false
	case ch == nil:
		// Frames for a channel that the peer has closed are ignored (section 2.2.7). A client that
		// never opened the channel gets no error either.
		return false
	case ch.content || ch.bodyLeft > 0:
		return c.fail(unexpectedFrame, "a method in the middle of a message")
	}
	var ok bool
	switch m.class {
	case 40, 50:
		ok = c.onTopology(ch, m, args)
	case 60:
		ok = c.onBasic(ch, m, args)
	default:
		switch m {
		case channelClose:
			c.drop(ch)
			c.out = method(c.out, id, channelCloseOk, nil)
			ok = true
		case confirmSelect:
			ch.confirms = true
			c.answer(ch, args.byte()&1 != 0, confirmSelectOk, nil)
			ok = true
		}
	}
	switch {
	case args.fell:
		return c.fail(syntaxError, fmt.Sprintf("method %v is cut short", m))
	case !ok:
		return c.fail(notImplemented, fmt.Sprintf("method %v is not known here", m))
	}
	return false
}

// answer writes a method, unless the client asked for no-wait.
func (c *conn) answer(ch *channel, noWait bool, m methodID, arguments func([]byte) []byte) {
	if !noWait {
		c.out = method(c.out, ch.id, m, arguments)
	}
}

// onTopology accepts every declaration, binding, purge and deletion. Retry queues are there from
// their declaration on; purges and deletions do nothing.
func (c *conn) onTopology(ch *channel, m methodID, args *fields) bool {
	none := func(b []byte) []byte { return append(b, 0, 0, 0, 0) } // no messages
	args.uint16()
	name := args.short()
	switch m {
	case exchangeDeclare:
		args.short()
		c.answer(ch, args.byte()&16 != 0, exchangeDeclareOk, nil)
	case exchangeDelete:
		c.answer(ch, args.byte()&2 != 0, exchangeDeleteOk, nil)
	case queueDeclare:
		bits := args.byte()
		if arguments := args.table(); bits&1 == 0 { // not passive
			c.server.waiting.declare(string(name), arguments)
		}
		c.answer(ch, bits&16 != 0, queueDeclareOk, func(b []byte) []byte {
			return append(appendShort(b, string(name)), 0, 0, 0, 0, 0, 0, 0, 0)
		})
	case queueBind:
		args.short()
		args.short()
		c.answer(ch, args.byte()&1 != 0, queueBindOk, nil)
	case queuePurge:
		c.answer(ch, args.byte()&1 != 0, queuePurgeOk, none)
	case queueDelete:
		c.answer(ch, args.byte()&4 != 0, queueDeleteOk, none)
	default:
		return false
	}
	return true
}

// onBasic processes publishes, subscriptions and settlements.
func (c *conn) onBasic(ch *channel, m methodID, args *fields) bool {
	switch m {
	case basicPublish:
		args.uint16()
		exchange, key := args.short(), args.short()
		ch.content, ch.queue = true, c.server.waiting.find(exchange, key)
	case basicAck:
		c.settle(ch, args.uint64(), args.byte()&1 != 0, false)
	case basicNack:
		tag, bits := args.uint64(), args.byte()
		c.settle(ch, tag, bits&1 != 0, bits&2 != 0)
	case basicReject:
		tag, bits := args.uint64(), args.byte()
		c.settle(ch, tag, false, bits&1 != 0)
	case basicQos:
		args.uint32()
		ch.prefetch = int(args.uint16())
		c.answer(ch, false, basicQosOk, nil)
	case basicConsume:
		c.consume(ch, args)
	case basicCancel:
		tag := string(args.short())
		for _, one := range ch.consumers {
			if one.tag == tag {
				one.gone = true
			}
		}
		c.answer(ch, args.byte()&1 != 0, basicCancelOk, func(b []byte) []byte { return appendShort(b, tag) })
	case basicGet:
		c.answer(ch, false, basicGetEmpty, func(b []byte) []byte { return appendShort(b, "") })
	default:
		return false
	}
	return true
}

func (c *conn) settle(ch *channel, tag uint64, multiple, requeue bool) {
	if !ch.settle(tag, multiple, requeue, &c.server.counts) {
		c.refuse(ch, preconditionFailed, fmt.Sprintf("PRECONDITION_FAILED - unknown delivery tag %d", tag))
	}
}

func (c *conn) consume(ch *channel, args *fields) {
	args.uint16()
	queue, tag, bits := string(args.short()), string(args.short()), args.byte()
	if tag == "" {
		tag = fmt.Sprintf("amq.ctag-%d-%d", ch.id, len(ch.consumers)+1)
	}
	if len(ch.consumers) == 255 {
		c.refuse(ch, notAllowed, "more consumers than the peer counts on one channel")
		return
	}
	ch.consumers = append(ch.consumers, &consumer{
		tag: tag, template: newTemplate(ch.id, tag, queue, c.server.config.Body), waited: c.server.waiting.deadEndsAt(queue),
		autoAck: bits&2 != 0, prefetch: ch.prefetch,
		limited: c.server.config.Messages != 0, left: max(0, c.server.config.Messages),
	})
	c.answer(ch, bits&8 != 0, basicConsumeOk, func(b []byte) []byte { return appendShort(b, tag) })
}
