package link

import (
	"encoding/binary"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// The library's limits for headers. It ends the connection for a message beyond them.
const (
	maxDepth   = 32
	maxEntries = 8192
)

// A content header begins with class, weight and body size. Flags follow, which say which
// properties there are.
const (
	beforeFlags    = 12
	hasContentType = 1 << 15
	hasEncoding    = 1 << 14
	hasHeaders     = 1 << 13
)

// table finds the headers in a content header's payload: the entries of the table are payload[at+4
// : end]. It is false if there are no headers.
func table(payload []byte) (at, end int, ok bool) {
	if len(payload) < beforeFlags+2 {
		return 0, 0, false
	}
	flags := binary.BigEndian.Uint16(payload[beforeFlags:])
	if flags&hasHeaders == 0 {
		return 0, 0, false
	}
	at = beforeFlags + 2
	for _, shortText := range []uint16{hasContentType, hasEncoding} {
		if flags&shortText != 0 && at < len(payload) {
			at += 1 + int(payload[at])
		}
	}
	if at+4 > len(payload) {
		return 0, 0, false
	}
	size := int(binary.BigEndian.Uint32(payload[at:]))
	if size > len(payload)-at-4 {
		return 0, 0, false
	}
	return at, at + 4 + size, true
}

// isLegible says whether the library can read a whole content header. It does not allocate
// (BenchmarkReader).
func isLegible(payload []byte) bool {
	at, end, ok := table(payload)
	return !ok || reads(payload[at+4:end], true, 0)
}

// withoutIllegible returns a content header's payload, in which the headers that the library cannot
// read are in transport.HeaderIllegible.
func withoutIllegible(payload []byte) []byte {
	at, end, ok := table(payload)
	if !ok {
		return payload
	}
	good, bad := sift(payload[at+4 : end])
	if len(bad) == 0 {
		return payload
	}
	good = append(good, byte(len(transport.HeaderIllegible)))
	good = append(good, transport.HeaderIllegible...)
	good = append(binary.BigEndian.AppendUint32(append(good, 'x'), uint32(len(bad))), bad...)
	result := binary.BigEndian.AppendUint32(append([]byte(nil), payload[:at]...), uint32(len(good)))
	return append(append(result, good...), payload[end:]...)
}

// sift splits a table's entries into those that the library can read and the others, and leaves
// room for one more good entry. Entries behind one without a known end are bad too.
func sift(table []byte) (good, bad []byte) {
	n, last := 0, 0 // the number of good entries, and where the last of them begins
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

// skipValue returns the bytes behind a value. read says whether the library can read the value, and
// ok whether its end is known.
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

// reads says whether the library can read all values of a table or an array.
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
