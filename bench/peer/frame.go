package peer

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// The types of frames, and the byte after each frame (AMQP 0-9-1, section 4.2.3).
const (
	frameMethod    = 1
	frameHeader    = 2
	frameBody      = 3
	frameHeartbeat = 8
	frameEnd       = 0xCE

	frameOverhead = 8          // the bytes of a frame around its payload
	frameMax      = 128 * 1024 // RabbitMQ's default
)

// frame is one frame. Its payload is memory of the reader, valid until the next frame.
type frame struct {
	kind    byte
	channel uint16
	payload []byte
}

var errFrame = errors.New("not a frame")

// readFrame returns the next frame in r, whose buffer must have room for the largest frame. The
// caller discards the returned number of bytes when it has handled the frame.
func readFrame(r *bufio.Reader) (frame, int, error) {
	head, err := r.Peek(7)
	if err != nil {
		return frame{}, 0, err
	}
	size := int(binary.BigEndian.Uint32(head[3:7]))
	if size > frameMax-frameOverhead {
		return frame{}, 0, fmt.Errorf("%w: its size is %d", errFrame, size)
	}
	whole, err := r.Peek(size + frameOverhead)
	if err != nil {
		return frame{}, 0, err
	}
	if whole[size+7] != frameEnd {
		return frame{}, 0, fmt.Errorf("%w: it does not end with 0xCE", errFrame)
	}
	return frame{kind: whole[0], channel: binary.BigEndian.Uint16(whole[1:3]), payload: whole[7 : 7+size]}, len(whole), nil
}

// begin starts a frame of unknown size; end fills the size in.
func begin(b []byte, kind byte, channel uint16) (out []byte, start int) {
	b = append(b, kind)
	b = binary.BigEndian.AppendUint16(b, channel)
	return append(b, 0, 0, 0, 0), len(b) + 4
}

func end(b []byte, start int) []byte {
	binary.BigEndian.PutUint32(b[start-4:], uint32(len(b)-start))
	return append(b, frameEnd)
}

// method appends a method frame. arguments appends the arguments, and may be nil.
func method(b []byte, channel uint16, m methodID, arguments func([]byte) []byte) []byte {
	b, start := begin(b, frameMethod, channel)
	b = binary.BigEndian.AppendUint16(b, m.class)
	b = binary.BigEndian.AppendUint16(b, m.method)
	if arguments != nil {
		b = arguments(b)
	}
	return end(b, start)
}

func appendShort(b []byte, s string) []byte { return append(append(b, byte(len(s))), s...) }

func appendLong(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// appendTable appends a table. Its values are strings, booleans, whole numbers, times, lists of
// strings, encoded tables and lists of those.
func appendTable(b []byte, pairs ...any) []byte {
	start := len(b) + 4
	b = append(b, 0, 0, 0, 0)
	for i := 0; i < len(pairs); i += 2 {
		b = appendShort(b, pairs[i].(string))
		switch v := pairs[i+1].(type) {
		case string:
			b = appendLong(append(b, 'S'), v)
		case bool:
			b = append(b, 't', 0)
			if v {
				b[len(b)-1] = 1
			}
		case int64:
			b = binary.BigEndian.AppendUint64(append(b, 'l'), uint64(v))
		case time.Time:
			b = binary.BigEndian.AppendUint64(append(b, 'T'), uint64(v.Unix()))
		case []string:
			b = appendList(b, 'S', v, appendLong)
		case []byte: // an encoded table
			b = append(append(b, 'F'), v...)
		case [][]byte:
			b = appendList(b, 'F', v, func(b, table []byte) []byte { return append(b, table...) })
		}
	}
	binary.BigEndian.PutUint32(b[start-4:], uint32(len(b)-start))
	return b
}

// appendList appends a list of values of one kind.
func appendList[T any](b []byte, kind byte, list []T, one func([]byte, T) []byte) []byte {
	start := len(b) + 5
	b = append(b, 'A', 0, 0, 0, 0)
	for _, v := range list {
		b = one(append(b, kind), v)
	}
	binary.BigEndian.PutUint32(b[start-4:], uint32(len(b)-start))
	return b
}

// fields reads a method's arguments, one after the other. Missing ones read as zero, and set fell.
type fields struct {
	b    []byte
	fell bool // an argument was missing
}

func (f *fields) take(n int) []byte {
	if n > len(f.b) {
		f.fell = true
		f.b = nil
		return nil
	}
	taken := f.b[:n]
	f.b = f.b[n:]
	return taken
}

func (f *fields) byte() byte {
	if b := f.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (f *fields) uint16() uint16 {
	if b := f.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (f *fields) uint32() uint32 {
	if b := f.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (f *fields) uint64() uint64 {
	if b := f.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// short reads a short string. The result is memory of the reader.
func (f *fields) short() []byte { return f.take(int(f.byte())) }

// long reads a long string or a table.
func (f *fields) long() []byte { return f.take(int(f.uint32())) }

// table reads the strings and the whole numbers of a table. Values of other kinds are left out.
func (f *fields) table() map[string]any {
	t := fields{b: f.long()}
	values := map[string]any{}
	for len(t.b) > 0 && !t.fell {
		name := string(t.short())
		switch kind := t.byte(); kind {
		case 't', 'b', 'B':
			t.take(1)
		case 's', 'u':
			t.take(2)
		case 'f', 'i':
			t.take(4)
		case 'd', 'T', 'L':
			t.take(8)
		case 'D':
			t.take(5)
		case 'A', 'F', 'x':
			t.long()
		case 'V':
		case 'I':
			values[name] = int64(int32(t.uint32()))
		case 'l':
			values[name] = int64(t.uint64())
		case 'S':
			values[name] = string(t.long())
		default:
			t.fell = true
		}
	}
	f.fell = f.fell || t.fell
	return values
}
