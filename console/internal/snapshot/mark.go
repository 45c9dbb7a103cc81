package snapshot

import "encoding/hex"

// mark is a Message.Mark in fewer bytes.
type mark [16]byte

func (m mark) String() string { return hex.EncodeToString(m[:]) }

// readMark reads a mark that somebody has given.
func readMark(text string) (k mark, ok bool) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(k) {
		return k, false
	}
	copy(k[:], b)
	return k, true
}
