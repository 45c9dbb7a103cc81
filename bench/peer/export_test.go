package peer

import (
	"bufio"
	"bytes"
	"testing"
)

// HandleAMessage returns a function that works without a socket. It delivers one message, takes the
// ack, takes a published message and confirms it.
func HandleAMessage(t *testing.T) func() {
	s := &Server{config: Config{Body: bytes.Repeat([]byte("x"), 256)}}
	c := newConn(s, nil)
	c.onMethod(1, nil, channelOpen, &fields{})
	ch := c.channels[1]
	ch.confirms, ch.prefetch = true, 1
	c.consume(ch, &fields{b: append(appendShort(appendShort([]byte{0, 0}, "work"), "tag"), 0)})

	var published []byte
	published = method(published, 1, basicPublish, func(b []byte) []byte {
		return append(appendShort(appendShort(append(b, 0, 0), ""), "work"), 0)
	})
	b, start := begin(published, frameHeader, 1)
	published = end(append(b, 0, 60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0), start)
	b, start = begin(published, frameBody, 1)
	published = end(append(b, "abc"...), start)

	in := bytes.NewReader(nil)
	c.in = bufio.NewReaderSize(in, 2*frameMax)
	ack := []byte(nil)
	buf := make([]byte, 0, 4096)
	tag := uint64(0)
	return func() {
		buf, _ = c.next(buf[:0])
		tag++
		ack, start = begin(ack[:0], frameMethod, 1)
		ack = append(ack, 0, 60, 0, 80, byte(tag>>56), byte(tag>>48), byte(tag>>40), byte(tag>>32), byte(tag>>24), byte(tag>>16), byte(tag>>8), byte(tag), 0)
		ack = end(ack, start)
		for _, bytes := range [][]byte{ack, published} {
			in.Reset(bytes)
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
		if got := s.Counts(); got.Acked != int64(tag) || got.Published != int64(tag) {
			t.Fatalf("counted %+v after %d", got, tag)
		}
	}
}
