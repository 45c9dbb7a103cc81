package link

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"sync/atomic"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// The library's limits for what is in a header. Beyond them it ends the connection.
const (
	maxDepth   = 32
	maxEntries = 8192
)

// legible is the socket of a link on which no message's headers end the connection. Headers that the
// library would not read are taken out of their frame before the library sees it.
type legible struct {
	*socket

	// Only the library's reading goroutine uses these.
	in   *bufio.Reader
	head [frameHead]byte
	buf  []byte // of a frame that was looked at; its next one reuses it
	next []byte // checked, and not read yet
	pass int    // bytes behind next that need no check
	err  error  // behind next

	frameMax atomic.Uint32 // the broker's, which the library is not told: see Write
}

func newLegible(s *socket) *legible { return &legible{socket: s, in: bufio.NewReader(s)} }

const (
	frameHead      = 7 // type, channel, size
	frameEnd       = 1
	contentHeader  = 2 // a frame's type
	beforeFlags    = 12
	hasContentType = 1 << 15
	hasEncoding    = 1 << 14
	hasHeaders     = 1 << 13
)

// Read fills p with all that has come. It waits for more only while p is empty.
func (l *legible) Read(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		switch {
		case len(l.next) > 0:
			m := copy(p[n:], l.next)
			l.next, n = l.next[m:], n+m
		case n > 0 && l.in.Buffered() < min(max(l.pass, 1), frameHead):
			return n, nil
		case l.pass > 0:
			var m int
			m, err = l.in.Read(p[n:min(len(p), n+l.pass)])
			l.pass, n = l.pass-m, n+m
		case l.err != nil:
			err = l.err
		default:
			l.frame()
		}
	}
	if n > 0 {
		return n, nil // an error comes again
	}
	return 0, err
}

// frame reads a frame's head, and the rest of one that has a message's headers.
func (l *legible) frame() {
	n, err := io.ReadFull(l.in, l.head[:])
	if err != nil {
		l.next, l.err = l.head[:n], err
		return
	}
	size := int(binary.BigEndian.Uint32(l.head[3:]))
	isTune := bytes.Equal(l.head[:], tuneHead)
	if !isTune && (l.head[0] != contentHeader || size > largestHeader) {
		l.next, l.pass = l.head[:], size+frameEnd
		return
	}
	l.buf = slices.Grow(l.buf[:0], frameHead+size)[:frameHead+size]
	copy(l.buf, l.head[:])
	payload := l.buf[frameHead:]
	if n, err := io.ReadFull(l.in, payload); err != nil {
		l.next, l.err = l.buf[:frameHead+n], err
		return
	}
	l.next, l.pass = l.buf, frameEnd
	if isTune && bytes.HasPrefix(payload, tune) {
		l.frameMax.Store(binary.BigEndian.Uint32(payload[len(tune)+2:]))
		binary.BigEndian.PutUint32(payload[len(tune)+2:], legibleFrame)
		return
	}
	if legible := withoutIllegible(payload); len(legible) != len(payload) || &legible[0] != &payload[0] {
		binary.BigEndian.PutUint32(l.head[3:], uint32(len(legible)))
		l.next = slices.Concat(l.head[:], legible)
	}
}

// The library refuses a frame that is larger than what it has agreed on. The broker does not keep to that: headers that just fitted a frame
// are sent in a larger one when it has added its own, as it does to what it dead-letters; and we add some too. So the library is told of a
// larger frame than the broker is, on this link, on which nothing is published.
const (
	legibleFrame  = 4 << 20
	largestHeader = legibleFrame - frameHead - frameEnd - 64
)

var (
	tuneHead = []byte{1, 0, 0, 0, 0, 0, 12} // of connection.tune, and of tune-ok: a method, on channel 0, of this size
	tune     = []byte{0, 10, 0, 30}
	tuneOK   = append(slices.Clone(tuneHead), 0, 10, 0, 31)
)

// Write is the library's. It tells the broker the frame size that it knows.
func (l *legible) Write(p []byte) (int, error) {
	if at := len(tuneOK) + 2; bytes.HasPrefix(p, tuneOK) && len(p) >= at+4 {
		p = slices.Clone(p)
		size := uint32(frameSize)
		if theirs := l.frameMax.Load(); theirs > 0 {
			size = min(size, theirs)
		}
		binary.BigEndian.PutUint32(p[at:], size)
	}
	return l.socket.Write(p)
}

// withoutIllegible returns a content header's payload, in which what the library cannot read stands in
// transport.HeaderIllegible. It returns the payload itself if the library can read it.
func withoutIllegible(payload []byte) []byte {
	if len(payload) < beforeFlags+2 {
		return payload
	}
	flags := binary.BigEndian.Uint16(payload[beforeFlags:])
	if flags&hasHeaders == 0 {
		return payload
	}
	at := beforeFlags + 2
	for _, shortText := range []uint16{hasContentType, hasEncoding} {
		if flags&shortText != 0 && at < len(payload) {
			at += 1 + int(payload[at])
		}
	}
	if at+4 > len(payload) {
		return payload
	}
	behind := payload[at+4:]
	size := int(binary.BigEndian.Uint32(payload[at:]))
	if size > len(behind) {
		return payload
	}
	if reads(behind[:size], true, 0) { // nearly always, and without an allocation
		return payload
	}
	good, bad := sift(behind[:size])
	good = append(good, byte(len(transport.HeaderIllegible)))
	good = append(good, transport.HeaderIllegible...)
	good = append(binary.BigEndian.AppendUint32(append(good, 'x'), uint32(len(bad))), bad...)
	result := binary.BigEndian.AppendUint32(append([]byte(nil), payload[:at]...), uint32(len(good)))
	return append(append(result, good...), behind[size:]...)
}

// sift parts a table's entries, so that one more can be added to the good ones. What comes behind an entry that has no end is bad
// with it.
func sift(table []byte) (good, bad []byte) {
	n, last := 0, 0 // good entries, and where the last of them begins
	defer func() {
		if len(bad) > 0 && n == maxEntries {
			good, bad = good[:last], append(bad, good[last:]...)
		}
	}()
	for len(table) > 0 {
		rest, ok := skipName(table)
		read := false
		if ok {
			rest, read, ok = skipValue(rest, 0)
		}
		if !ok {
			return good, append(bad, table...)
		}
		entry := table[:len(table)-len(rest)]
		if read && n < maxEntries {
			n, last = n+1, len(good)
			good = append(good, entry...)
		} else {
			bad = append(bad, entry...)
		}
		table = rest
	}
	return good, bad
}

func skipName(b []byte) (rest []byte, ok bool) {
	if len(b) == 0 || len(b) < 1+int(b[0]) {
		return nil, false
	}
	return b[1+int(b[0]):], true
}

// skipValue is what comes behind a value; whether the library reads it, and whether it is known where it ends.
func skipValue(b []byte, depth int) (rest []byte, read, ok bool) {
	if len(b) == 0 {
		return nil, false, false
	}
	kind, b := b[0], b[1:]
	size := 0
	switch kind {
	case 'V':
	case 't', 'B', 'b':
		size = 1
	case 's', 'u':
		size = 2
	case 'I', 'i', 'f':
		size = 4
	case 'D':
		size = 5
	case 'l', 'd', 'T':
		size = 8
	case 'S', 'x', 'A', 'F':
		if len(b) < 4 {
			return nil, false, false
		}
		size, b = int(binary.BigEndian.Uint32(b)), b[4:]
	default:
		return nil, false, false
	}
	if size > len(b) {
		return nil, false, false
	}
	inside, rest := b[:size], b[size:]
	switch kind {
	case 'A', 'F':
		return rest, reads(inside, kind == 'F', depth+1), true
	}
	return rest, true, true
}

// reads says whether the library reads what is in a table or an array.
func reads(inside []byte, named bool, depth int) bool {
	if depth > maxDepth {
		return false
	}
	for n := 0; len(inside) > 0; n++ {
		ok := n < maxEntries
		if ok && named {
			inside, ok = skipName(inside)
		}
		if !ok {
			return false
		}
		var read bool
		if inside, read, ok = skipValue(inside, depth); !ok || !read {
			return false
		}
	}
	return true
}
