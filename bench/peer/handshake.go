package peer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

const (
	channelMax = 2047
	heartbeat  = 60 // seconds, unless the client asks for less
)

// handshake covers everything up to connection.open-ok.
func (c *conn) handshake() error {
	var header [8]byte
	if _, err := io.ReadFull(c.in, header[:]); err != nil {
		return err
	}
	if !bytes.Equal(header[:], []byte("AMQP\x00\x00\x09\x01")) {
		return fmt.Errorf("the protocol header is %q", header)
	}
	if err := c.say(connectionStart, func(b []byte) []byte {
		capabilities := appendTable(nil,
			"publisher_confirms", true, "basic.nack", true, "consumer_cancel_notify", true,
			"per_consumer_qos", true, "connection.blocked", true, "authentication_failure_close", true)
		b = append(b, 0, 9)
		b = appendTable(b, "product", "bench peer", "version", "0", "capabilities", capabilities)
		return appendLong(appendLong(b, "PLAIN"), "en_US")
	}); err != nil {
		return err
	}
	args, err := c.hear(connectionStartOk)
	if err != nil {
		return err
	}
	args.long() // the client's properties
	if mechanism := args.short(); string(mechanism) != "PLAIN" {
		return fmt.Errorf("the client wants to authenticate with %q", mechanism)
	}
	if response := args.long(); bytes.Count(response, []byte{0}) != 2 {
		return errors.New("the client's user and password are not what PLAIN says")
	}
	if err := c.say(connectionTune, func(b []byte) []byte { return appendTune(b, channelMax, frameMax, heartbeat) }); err != nil {
		return err
	}
	if args, err = c.hear(connectionTuneOk); err != nil {
		return err
	}
	args.uint16()
	if size := args.uint32(); size != 0 && size < frameMax {
		return fmt.Errorf("the client wants frames of %d bytes at most", size)
	}
	c.heartbeat = time.Duration(args.uint16()) * time.Second
	if _, err = c.hear(connectionOpen); err != nil {
		return err
	}
	return c.say(connectionOpenOk, func(b []byte) []byte { return appendShort(b, "") })
}

func appendTune(b []byte, channels uint16, frames uint32, beat uint16) []byte {
	b = binary.BigEndian.AppendUint16(b, channels)
	b = binary.BigEndian.AppendUint32(b, frames)
	return binary.BigEndian.AppendUint16(b, beat)
}

func (c *conn) say(m methodID, arguments func([]byte) []byte) error {
	_, err := c.socket.Write(method(nil, 0, m, arguments))
	return err
}

// hear reads the method that must come next.
func (c *conn) hear(want methodID) (*fields, error) {
	for {
		f, n, err := readFrame(c.in)
		if err != nil {
			return nil, err
		}
		kind, args := f.kind, &fields{b: bytes.Clone(f.payload)}
		if _, err := c.in.Discard(n); err != nil {
			return nil, err
		}
		if kind == frameHeartbeat {
			continue
		}
		got := methodID{args.uint16(), args.uint16()}
		if kind != frameMethod || got != want {
			return nil, fmt.Errorf("method %v came, want %v", got, want)
		}
		return args, nil
	}
}
