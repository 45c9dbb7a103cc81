package snapshot

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// mark is a digest of a message's id and body. It names a message, also one without an id.
type mark [16]byte

func (m mark) String() string { return hex.EncodeToString(m[:]) }

func markOf(m *errorqueue.Message) (k mark) {
	h := sha256.New()
	// The length keeps apart what is in the id and what is in the body.
	_, _ = h.Write([]byte(strconv.Itoa(len(m.ID)) + ":" + m.ID)) // it never fails
	_, _ = h.Write(m.Body)
	copy(k[:], h.Sum(nil))
	return k
}

// readMark reads a mark that somebody has given.
func readMark(text string) (k mark, ok bool) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(k) {
		return k, false
	}
	copy(k[:], b)
	return k, true
}
