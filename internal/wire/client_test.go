package wire

import (
	"encoding/binary"
	"io"
	"net"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// client is the real client library. It is connected to the smallest broker to which it publishes.
type client struct {
	ch      *amqp.Channel
	headers chan []byte // the content headers that it has sent
}

func newClient(t testing.TB) *client {
	t.Helper()
	ours, theirs := net.Pipe()
	c := &client{headers: make(chan []byte, 1)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.serve(theirs)
	}()
	conn, err := amqp.Open(ours, amqp.Config{SASL: []amqp.Authentication{&amqp.PlainAuth{}}, Vhost: "/"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		_ = theirs.Close()
		<-ended
	})
	if c.ch, err = conn.Channel(); err != nil {
		t.Fatal(err)
	}
	return c
}

// size is how many bytes the client sends for these headers.
func (c *client) size(t testing.TB, h amqp.Table) int {
	t.Helper()
	if err := c.ch.Publish("", "", false, false, amqp.Publishing{Headers: h}); err != nil {
		t.Fatal(err)
	}
	return len(<-c.headers) - 14 // class, weight, body size, flags
}

// The broker's answer to each method: class and method, followed by the arguments.
var answers = map[uint32][]byte{
	// start-ok is answered by tune: 10 channels, frames of any size.
	10<<16 | 11: {0, 10, 0, 30, 0, 10, 0, 0, 0, 0, 0, 0},
	10<<16 | 40: {0, 10, 0, 41, 0},          // open: open-ok
	10<<16 | 50: {0, 10, 0, 51},             // close: close-ok
	20<<16 | 10: {0, 20, 0, 11, 0, 0, 0, 0}, // channel.open: open-ok
	0: append([]byte{0, 10, 0, 10, 0, 9, 0, 0, 0, 0, // the protocol's name: start, no properties
		0, 0, 0, 5}, append([]byte("PLAIN"), append([]byte{0, 0, 0, 5}, "en_US"...)...)...),
}

func (c *client) serve(conn net.Conn) {
	if _, err := io.ReadFull(conn, make([]byte, 8)); err != nil {
		return
	}
	say := func(channel, payload []byte) {
		frame := append([]byte{1}, channel...)
		frame = binary.BigEndian.AppendUint32(frame, uint32(len(payload)))
		_, _ = conn.Write(append(append(frame, payload...), 0xCE))
	}
	say([]byte{0, 0}, answers[0])
	for {
		head := make([]byte, 7)
		if _, err := io.ReadFull(conn, head); err != nil {
			return
		}
		payload := make([]byte, binary.BigEndian.Uint32(head[3:])+1)
		if _, err := io.ReadFull(conn, payload); err != nil {
			return
		}
		payload = payload[:len(payload)-1]
		switch head[0] {
		case 1:
			if answer := answers[binary.BigEndian.Uint32(payload)]; answer != nil {
				say(head[1:3], answer)
			}
		case 2:
			c.headers <- payload
		}
	}
}
