package amqptest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"net/url"
	"testing"
	"time"
)

// Types of AMQP 1.0's application properties that AMQP 0-9-1 does not have.
type (
	// UUID is sent as a uuid.
	UUID [16]byte
	// Char is sent as a char.
	Char rune
)

// Message10 is a message of an AMQP 1.0 client. Its properties are strings, bools, int64s,
// float64s, UUIDs and Chars.
type Message10 struct {
	ID         string
	Body       string
	Properties map[string]any
}

// Unconvertible returns a message that RabbitMQ 4 accepts over AMQP 1.0 and cannot convert for AMQP
// 0-9-1, because one of its application properties is a UUID. Each delivery of it ends the
// connection with 541, so no client ever gets a delivery that it could reject.
func Unconvertible(id string) Message10 {
	return Message10{ID: id, Body: "{}", Properties: map[string]any{"tenant": UUID{7}}}
}

// Publish10 publishes durable messages to a queue over AMQP 1.0, and returns when the broker has
// accepted them. It needs RabbitMQ 4: in earlier releases AMQP 1.0 is a plugin. See [Major].
func Publish10(t testing.TB, queue string, messages ...Message10) {
	t.Helper()
	if err := publish10(URL(t), queue, messages); err != nil {
		t.Fatalf("amqptest: publish to %s over AMQP 1.0: %v", queue, err)
	}
}

// Descriptors of the frames and sections that this file uses, from the AMQP 1.0 specification.
const (
	open10, begin10, attach10, flow10, transfer10, disposition10 = 0x10, 0x11, 0x12, 0x13, 0x14, 0x15
	close10, saslMechanisms, saslInit, saslOutcome               = 0x18, 0x40, 0x41, 0x44
	header10, properties10, applicationProperties, data10        = 0x70, 0x73, 0x74, 0x75
	source10, target10, accepted10                               = 0x28, 0x29, 0x24
)

func publish10(broker, queue string, messages []Message10) error {
	u, err := url.Parse(broker)
	if err != nil {
		return err
	}
	conn, err := net.DialTimeout("tcp", u.Host, 5*time.Second)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	c := client10{conn}
	password, _ := u.User.Password()
	vhost := ""
	if len(u.Path) > 1 {
		vhost = u.Path[1:]
	}
	const sasl, plain = "AMQP\x03\x01\x00\x00", "AMQP\x00\x01\x00\x00"
	if err := c.greet(sasl); err != nil {
		return err
	}
	if _, err := c.await(saslMechanisms); err != nil {
		return err
	}
	c.send(1, described(saslInit, symbol("PLAIN"), binary10("\x00"+u.User.Username()+"\x00"+password)))
	if outcome, err := c.await(saslOutcome); err != nil || !bytes.Contains(outcome, []byte{0x50, 0}) {
		return fmt.Errorf("the broker does not let us in: % x, %w", outcome, err)
	}
	if err := c.greet(plain); err != nil {
		return err
	}
	c.send(0, described(open10, string10("amqptest"), string10("vhost:"+vhost)))
	c.send(0, described(begin10, null10, uint10(0), uint10(1000), uint10(1000)))
	// The boolean is false: this client is the sender.
	c.send(0, described(attach10, string10("to "+queue), uint10(0), []byte{0x42},
		[]byte{0x50, 0}, []byte{0x50, 0}, described(source10), described(target10, string10("/queues/"+url.PathEscape(queue)), uint10(2)),
		null10, null10, uint10(0)))
	// The broker's credit is more than a test sends.
	if _, err := c.await(flow10); err != nil {
		return err
	}
	for i, m := range messages {
		c.send(0, described(transfer10, uint10(0), uint10(uint32(i)), binary10(fmt.Sprint(i)), uint10(0), []byte{0x42}), m.encode())
		if answer, err := c.await(disposition10); err != nil || !bytes.Contains(answer, []byte{0x00, 0x53, accepted10}) {
			return fmt.Errorf("message %q is not accepted: % x, %w", m.ID, answer, err)
		}
	}
	c.send(0, described(close10))
	_, err = c.await(close10)
	return err
}

// client10 is one connection with one session and one link.
type client10 struct{ conn net.Conn }

func (c client10) greet(protocol string) error {
	if _, err := io.WriteString(c.conn, protocol); err != nil {
		return err
	}
	answer := make([]byte, len(protocol))
	if _, err := io.ReadFull(c.conn, answer); err != nil || string(answer) != protocol {
		return fmt.Errorf("the broker answers %q to %q: %w", answer, protocol, err)
	}
	return nil
}

// send writes a frame. kind is 0 for AMQP and 1 for SASL. An error shows when the answer is read.
func (c client10) send(kind byte, parts ...[]byte) {
	body := bytes.Join(parts, nil)
	frame := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	_, _ = c.conn.Write(append(append(frame, 2, kind, 0, 0), body...))
}

// await reads frames until one has this descriptor. A close by the broker is an error.
func (c client10) await(descriptor byte) ([]byte, error) {
	for {
		head := make([]byte, 8)
		if _, err := io.ReadFull(c.conn, head); err != nil {
			return nil, err
		}
		body := make([]byte, binary.BigEndian.Uint32(head)-8)
		if _, err := io.ReadFull(c.conn, body); err != nil {
			return nil, err
		}
		const detach, end = 0x16, 0x17
		switch {
		case len(body) < 3: // a heartbeat
		case body[2] == descriptor:
			return body, nil
		case body[2] == close10, body[2] == detach, body[2] == end:
			return nil, fmt.Errorf("the broker ends it: %q", body)
		}
	}
}

// encode makes the sections of a message: header, properties, application properties, data.
func (m Message10) encode() []byte {
	var properties [][]byte
	for name, value := range m.Properties {
		properties = append(properties, string10(name), value10(value))
	}
	return bytes.Join([][]byte{
		described(header10, []byte{0x41}), // durable
		described(properties10, string10(m.ID)),
		{0x00, 0x53, applicationProperties}, collection(0xd1, properties),
		{0x00, 0x53, data10}, binary10(m.Body),
	}, nil)
}

func value10(value any) []byte {
	switch v := value.(type) {
	case string:
		return string10(v)
	case bool:
		return []byte{map[bool]byte{true: 0x41, false: 0x42}[v]}
	case int64:
		return binary.BigEndian.AppendUint64([]byte{0x81}, uint64(v))
	case float64:
		return binary.BigEndian.AppendUint64([]byte{0x82}, math.Float64bits(v))
	case UUID:
		return append([]byte{0x98}, v[:]...)
	case Char:
		return binary.BigEndian.AppendUint32([]byte{0x73}, uint32(v))
	}
	panic(fmt.Sprintf("amqptest: a Message10 has no property of type %T", value))
}

// described encodes a value with a descriptor, whose fields are a list.
func described(descriptor byte, fields ...[]byte) []byte {
	return append([]byte{0x00, 0x53, descriptor}, collection(0xd0, fields)...)
}

// collection encodes a list (0xd0) or a map (0xd1).
func collection(kind byte, elements [][]byte) []byte {
	inside := bytes.Join(elements, nil)
	b := binary.BigEndian.AppendUint32([]byte{kind}, uint32(4+len(inside)))
	return append(binary.BigEndian.AppendUint32(b, uint32(len(elements))), inside...)
}

var null10 = []byte{0x40}

func uint10(n uint32) []byte   { return binary.BigEndian.AppendUint32([]byte{0x70}, n) }
func string10(s string) []byte { return sized(0xb1, s) }
func symbol(s string) []byte   { return sized(0xb3, s) }
func binary10(s string) []byte { return sized(0xb0, s) }
func sized(kind byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(s))), s...)
}
