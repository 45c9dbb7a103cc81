package peer

import (
	"bufio"
	"bytes"
	"testing"
)

// HandleAMessage returns a function that works without a socket. It delivers one message, takes the
// ack, takes a published message and confirms it.
func HandleAMessage(t *testing.T) func() {
	s := newServer(Config{Body: bytes.Repeat([]byte("x"), 256)})
	c := newConn(s, nil)
	c.onMethod(1, nil, channelOpen, &fields{})
	ch := c.channels[1]
	ch.confirms, ch.prefetch = true, 1
	c.consume(ch, &fields{b: append(appendShort(appendShort([]byte{0, 0}, "work"), "tag"), 0)})

	published := publishing("work")
	receive := c.receiver(t)
	ack := []byte(nil)
	buf := make([]byte, 0, 4096)
	tag := uint64(0)
	return func() {
		buf, _ = c.next(buf[:0])
		tag++
		var start int
		ack, start = begin(ack[:0], frameMethod, 1)
		ack = append(ack, 0, 60, 0, 80, byte(tag>>56), byte(tag>>48), byte(tag>>40), byte(tag>>32), byte(tag>>24), byte(tag>>16), byte(tag>>8), byte(tag), 0)
		ack = end(ack, start)
		receive(ack)
		receive(published)
		if got := s.Counts(); got.Acked != int64(tag) || got.Published != int64(tag) {
			t.Fatalf("counted %+v after %d", got, tag)
		}
	}
}

// HandleARetry returns two functions that work without a socket. The first takes a message for a
// retry queue and confirms it, the second delivers one that has waited.
func HandleARetry(t *testing.T) (put, take func()) {
	s := newServer(Config{Messages: Idle})
	c := newConn(s, nil)
	c.onMethod(1, nil, channelOpen, &fields{})
	ch := c.channels[1]
	ch.confirms = true
	const autoAck = 2
	c.consume(ch, &fields{b: append(appendShort(appendShort([]byte{0, 0}, "work"), "tag"), autoAck)})
	s.waiting.declare("work-retry", map[string]any{"x-message-ttl": int64(1), "x-dead-letter-routing-key": "work"})
	published := publishing("work-retry")
	receive := c.receiver(t)
	buf := make([]byte, 0, batch)
	put = func() {
		receive(published)
		buf = ch.confirm(buf[:0], &s.counts)
	}
	take = func() {
		for before := s.Counts().Expired; s.Counts().Expired == before; {
			buf = ch.deliver(buf[:0], 1, &s.counts)
		}
	}
	return put, take
}

// publishing returns the frames of a message to a queue.
func publishing(queue string) []byte {
	published := method(nil, 1, basicPublish, func(b []byte) []byte {
		return append(appendShort(appendShort(append(b, 0, 0), ""), queue), 0)
	})
	b, start := begin(published, frameHeader, 1)
	published = end(append(b, 0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0), start)
	b, start = begin(published, frameBody, 1)
	return end(append(b, "abc"...), start)
}

// receiver returns a function that handles frames as if they came from the socket.
func (c *conn) receiver(t *testing.T) func([]byte) {
	in := bytes.NewReader(nil)
	c.in = bufio.NewReaderSize(in, 2*frameMax)
	return func(frames []byte) {
		in.Reset(frames)
		for in.Len() > 0 || c.in.Buffered() > 0 {
			f, n, err := readFrame(c.in)
			if err != nil {
				t.Fatal(err)
			}
			if c.handle(f) {
				t.Fatal(c.broken)
			}
			if _, err := c.in.Discard(n); err != nil {
				t.Fatal(err)
			}
		}
	}
}
