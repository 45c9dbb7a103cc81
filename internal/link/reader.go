package link

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"sync/atomic"
)

// reader is the socket of a link. No message's headers end the connection: headers that the library
// cannot read are removed from their frame before the library gets it (headers.go). So are those
// that nobody reads on a link on which messages are consumed (deaths.go).
//
// A usual message costs little (BenchmarkReader). The reader looks at the first bytes of each
// frame, in the socket's buffer. It looks at headers only if they are long enough to be nested too
// deeply.
type reader struct {
	*socket

	least int // content headers with fewer bytes are not looked at
	use   use // of the link

	// Only Read uses these.
	next  []byte // of a changed frame, and not read yet
	pass  int    // bytes behind next that need no look
	err   error  // comes after both
	tuned bool   // the broker has said how large its frames are

	// The broker's frame size, of which the library is not told; written by Read.
	frameMax atomic.Uint32
}

func newReader(s *socket, use use) *reader {
	return &reader{socket: s, least: leastIllegible, use: use}
}

// Parts of a frame, in bytes.
const (
	frameHead = 7 // type, channel, size
	frameEnd  = 1

	contentHeader = 2 // a frame's type
)

// leastIllegible is the size of the smallest content header that the library cannot read. It has
// the fixed part, the table's size, an empty name, and nested lists, one level deeper than
// maxDepth.
const leastIllegible = beforeFlags + 2 + 4 + 1 + (maxDepth+1)*5

// Read implements io.Reader for the library. It reads as much as it can without waiting.
func (r *reader) Read(p []byte) (n int, err error) {
	for n < len(p) {
		switch {
		case len(r.next) > 0:
			m := copy(p[n:], r.next)
			n, r.next = n+m, r.next[m:]
		case r.pass > 0:
			if n > 0 && r.in.Buffered() == 0 {
				return n, nil
			}
			m, err := r.in.Read(p[n:min(len(p), n+r.pass)])
			n, r.pass = n+m, r.pass-m
			if err != nil {
				return n, err
			}
		case r.err != nil:
			if n > 0 {
				return n, nil
			}
			return 0, r.err
		case !r.frame(n == 0):
			return n, nil
		}
	}
	return n, nil
}

// frame looks at the next frames, and sets how they are read. It is false if it would have to wait
// and wait is false.
func (r *reader) frame(wait bool) bool {
	if r.pass = r.passing(); r.pass > 0 {
		return true
	}
	if !wait && r.in.Buffered() < frameHead {
		return false
	}
	head, err := r.in.Peek(frameHead)
	if err != nil {
		r.pass, r.err = len(head), err
		return true
	}
	size := frameSizeOf(head)
	switch {
	case !r.isLooked(head, size):
		r.pass = frameHead + size + frameEnd
		return true
	case !wait && r.in.Buffered() < frameHead+size:
		return false
	}
	if all, err := r.in.Peek(frameHead + size); err == nil && all[0] == contentHeader {
		later := r.withoutDeaths(all)
		_, _ = r.in.Discard(later) // no error: so much is in the buffer
		if isLegible(all[later+frameHead:]) {
			r.pass = frameHead + size - later + frameEnd
			return true
		}
		size -= later
	}
	frame := make([]byte, frameHead+size)
	if n, err := io.ReadFull(r.in, frame); err != nil {
		r.next, r.err = frame[:n], err
		return true
	}
	payload := frame[frameHead:]
	if frame[0] == contentHeader {
		frame = frame[r.withoutDeaths(frame):] // it may have been too large for the buffer
		payload = withoutIllegible(frame[frameHead:])
	} else {
		r.tune(payload)
	}
	binary.BigEndian.PutUint32(frame[3:], uint32(len(payload)))
	r.next, r.pass = slices.Concat(frame[:frameHead], payload), frameEnd
	return true
}

// passing returns how many bytes need no change, from the next frame on. It looks only at frames in
// the socket's buffer.
func (r *reader) passing() (n int) {
	all, _ := r.in.Peek(r.in.Buffered())
	for len(all)-n >= frameHead {
		head := all[n : n+frameHead]
		size := frameSizeOf(head)
		if r.isLooked(head, size) {
			if end := n + frameHead + size; head[0] != contentHeader || end > len(all) || !r.isFine(all[n+frameHead:end]) {
				return n
			}
		}
		n += frameHead + size + frameEnd
	}
	return n
}

// isFine says whether a whole content header needs no change.
func (r *reader) isFine(payload []byte) bool {
	if r.use == toConsume {
		var room [1]span
		if len(deathsOf(payload, room[:0])) > 0 {
			return false
		}
	}
	return isLegible(payload)
}

// withoutDeaths removes what nobody reads on this link from a frame with a content header. The
// frame begins later by what it returns.
func (r *reader) withoutDeaths(frame []byte) (later int) {
	if r.use != toConsume {
		return 0
	}
	return withoutDeaths(frame)
}

func frameSizeOf(head []byte) int { return int(binary.BigEndian.Uint32(head[3:])) }

// isLooked says whether a frame may need a change.
func (r *reader) isLooked(head []byte, size int) bool {
	if head[0] == contentHeader {
		return size >= r.least && size <= largestHeader
	}
	return !r.tuned && bytes.Equal(head, tuneHead)
}

// The library refuses a frame that is larger than the negotiated size. The broker can send such a
// frame: it adds headers of its own, for example when it dead-letters a message, even to headers
// that just fitted a frame. So, on links on which nothing is published, the library is told of a
// larger frame size than the broker.
const (
	wideFrame     = 4 << 20
	largestHeader = wideFrame - frameHead - frameEnd - 64
)

var (
	// The head of connection.tune and of tune-ok: a method on channel 0 of this size.
	tuneHead = []byte{1, 0, 0, 0, 0, 0, 12}
	tune     = []byte{0, 10, 0, 30}
	tuneOK   = append(slices.Clone(tuneHead), 0, 10, 0, 31)
)

// tune changes the frame size in the broker's connection.tune.
func (r *reader) tune(payload []byte) {
	if !bytes.HasPrefix(payload, tune) {
		return
	}
	r.tuned = true
	if r.use.isReading() {
		r.frameMax.Store(binary.BigEndian.Uint32(payload[len(tune)+2:]))
		binary.BigEndian.PutUint32(payload[len(tune)+2:], wideFrame)
	}
}

// Write implements io.Writer for the library. In tune-ok it replaces the frame size by one that the
// broker accepts.
func (r *reader) Write(p []byte) (int, error) {
	if at := len(tuneOK) + 2; r.use.isReading() && len(p) >= at+4 && bytes.HasPrefix(p, tuneOK) {
		p = slices.Clone(p)
		binary.BigEndian.PutUint32(p[at:], uint32(r.frameSize()))
	}
	return r.socket.Write(p)
}

// frameSize is what a wide reader has agreed on with the broker.
func (r *reader) frameSize() int {
	if theirs := r.frameMax.Load(); theirs > 0 {
		return int(min(frameSize, theirs))
	}
	return frameSize
}
