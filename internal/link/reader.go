package link

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"sync/atomic"
)

// reader is the socket of a link on which no message's headers end the connection: those that the library
// would not read are taken out of their frame before the library sees it (headers.go).
//
// It costs next to nothing for a usual message: it looks at the first bytes of each frame, where they lie in the
// socket's buffer, and at the headers of one only if they are so long that they may be nested too deeply.
type reader struct {
	*socket

	least int  // bytes of a content header that is looked at
	wide  bool // the library is told of larger frames: see wideFrame

	// Only Read uses these.
	next  []byte // of a frame that was changed, and not read yet
	pass  int    // bytes behind next that need no look
	err   error  // behind both
	tuned bool   // the broker has said how large its frames are

	frameMax atomic.Uint32 // of the broker, which the library is not told; written by Read
}

// newReader makes the reader of a link that publishes, or that only reads.
func newReader(s *socket, wide bool) *reader {
	return &reader{socket: s, least: leastIllegible, wide: wide}
}

// Parts of a frame, in bytes.
const (
	frameHead = 7 // type, channel, size
	frameEnd  = 1

	contentHeader = 2 // a frame's type
)

// leastIllegible is the size of the smallest content header that the library cannot read: a list of which each
// holds another one, one deeper than maxDepth, behind the fixed part, the table's size, and an empty name.
const leastIllegible = beforeFlags + 2 + 4 + 1 + (maxDepth+1)*5

// Read is the library's. It reads as much as there is without waiting.
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

// frame looks at the next frames, and says what of them is to be read. It is false if it would have to wait, and may not.
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
	if all, err := r.in.Peek(frameHead + size); err == nil && all[0] == contentHeader && isLegible(all[frameHead:]) {
		r.pass = frameHead + size + frameEnd
		return true
	}
	frame := make([]byte, frameHead+size)
	if n, err := io.ReadFull(r.in, frame); err != nil {
		r.next, r.err = frame[:n], err
		return true
	}
	payload := frame[frameHead:]
	if frame[0] == contentHeader {
		payload = withoutIllegible(payload)
	} else {
		r.tune(payload)
	}
	binary.BigEndian.PutUint32(frame[3:], uint32(len(payload)))
	r.next, r.pass = slices.Concat(frame[:frameHead], payload), frameEnd
	return true
}

// passing is how many bytes of frames that are not to be changed begin with the next one, as far as the socket has read them.
func (r *reader) passing() (n int) {
	all, _ := r.in.Peek(r.in.Buffered())
	for len(all)-n >= frameHead {
		head := all[n : n+frameHead]
		size := frameSizeOf(head)
		if r.isLooked(head, size) {
			if end := n + frameHead + size; head[0] != contentHeader || end > len(all) || !isLegible(all[n+frameHead:end]) {
				return n
			}
		}
		n += frameHead + size + frameEnd
	}
	return n
}

func frameSizeOf(head []byte) int { return int(binary.BigEndian.Uint32(head[3:])) }

// isLooked says whether a frame may have to be changed.
func (r *reader) isLooked(head []byte, size int) bool {
	if head[0] == contentHeader {
		return size >= r.least && size <= largestHeader
	}
	return !r.tuned && bytes.Equal(head, tuneHead)
}

// The library refuses a frame that is larger than what it has agreed on. The broker does not keep to that: headers that just fitted a frame
// are sent in a larger one when it has added its own, as it does to what it dead-letters. So the library is told of a
// larger frame than the broker is, on links on which nothing is published.
const (
	wideFrame     = 4 << 20
	largestHeader = wideFrame - frameHead - frameEnd - 64
)

var (
	tuneHead = []byte{1, 0, 0, 0, 0, 0, 12} // of connection.tune, and of tune-ok: a method, on channel 0, of this size
	tune     = []byte{0, 10, 0, 30}
	tuneOK   = append(slices.Clone(tuneHead), 0, 10, 0, 31)
)

// tune changes what the broker says of its frames.
func (r *reader) tune(payload []byte) {
	if !bytes.HasPrefix(payload, tune) {
		return
	}
	r.tuned = true
	if r.wide {
		r.frameMax.Store(binary.BigEndian.Uint32(payload[len(tune)+2:]))
		binary.BigEndian.PutUint32(payload[len(tune)+2:], wideFrame)
	}
}

// Write is the library's. It tells the broker the frame size that it knows.
func (r *reader) Write(p []byte) (int, error) {
	if at := len(tuneOK) + 2; r.wide && len(p) >= at+4 && bytes.HasPrefix(p, tuneOK) {
		p = slices.Clone(p)
		size := uint32(frameSize)
		if theirs := r.frameMax.Load(); theirs > 0 {
			size = min(size, theirs)
		}
		binary.BigEndian.PutUint32(p[at:], size)
	}
	return r.socket.Write(p)
}
