package simulated

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	amqp "github.com/rabbitmq/amqp091-go"
)

// replies is the name of direct reply-to: who consumes it on a channel gets there the answers to
// what is published on that channel.
const replies = "amq.rabbitmq.reply-to"

// answered is basic.consume of replies. A channel has one such consumer at most, and it acks
// nothing.
func (s *served) answered(tag string, autoAck bool) *amqp.Error {
	switch {
	case !autoAck:
		return refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - reply consumer cannot acknowledge")
	case s.reply != "":
		return refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - reply consumer already set")
	}
	b := s.session.broker
	b.askers++
	s.reply, s.replyTag = replyAddress(b.askers), tag
	return nil
}

// replyAddress has the shape of RabbitMQ's: the identifier of an Erlang process, and a key.
func replyAddress(asker int) string {
	const node = "reply@1"
	term := append([]byte{131, 88, 118, 0, byte(len(node))}, node...)
	term = append(binary.BigEndian.AppendUint32(term, uint32(asker)), make([]byte, 8)...)
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%s.%s.%s", replies, encode(term), encode(fmt.Append(nil, asker)))
}

// asks writes on a message where its answers are to go. It returns why it cannot have any, or nil.
func (s *served) asks(msg *amqp.Publishing) *amqp.Error {
	if msg.ReplyTo != replies {
		return nil
	}
	if s.reply == "" {
		return refusal(amqp.PreconditionFailed, "PRECONDITION_FAILED - fast reply consumer does not exist")
	}
	msg.ReplyTo = s.reply
	return nil
}

// answer hands a message to who has asked. taken says whether it is an answer at all, and known
// whether the asker is there. RabbitMQ 3.10 returns a mandatory one either way.
func (b *Broker) answer(exchange, key string, msg amqp.Publishing) (taken, known bool) {
	if exchange != "" || !strings.HasPrefix(key, replies+".") {
		return false, false
	}
	for _, session := range b.sessions {
		for _, s := range session.served {
			if s.reply != key {
				continue
			}
			s.tags++
			d := (&message{Publishing: msg, exchange: exchange, key: key}).delivery(false, b.Version)
			d.DeliveryTag, d.ConsumerTag = s.tags, s.replyTag
			s.send(frame{kind: "deliver", queue: replies, message: msg.MessageId, act: func(Fault) { s.client.deliver(d, replies) }})
			return true, b.Version != RabbitMQ3
		}
	}
	return true, false
}
