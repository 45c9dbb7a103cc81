package control

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
)

// Tags of Erlang's external term format, as far as the identifier of a process needs them
// (https://www.erlang.org/doc/apps/erts/erl_ext_dist.html).
const (
	termVersion    = 131
	termPid        = 103
	termNewPid     = 88
	termAtom       = 100
	termSmallAtom  = 115
	termUTF8       = 118
	termSmallUTF8  = 119
	pidNumbers     = 9  // bytes behind the node's name of a termPid
	pidNumbersLong = 12 // of a termNewPid
)

// isReply says whether an address is one of RabbitMQ's direct reply-to: the process of the channel
// that has asked, a dot, and a key. An answer goes nowhere else: whoever may give orders could have
// answers put into any queue of the app. RabbitMQ 3.10 ends the connection of whoever publishes to
// an address in which there is no process (541), with all that is in flight on it.
func isReply(to string) bool {
	address, ok := strings.CutPrefix(to, replies+".")
	process, key, two := strings.Cut(address, ".")
	if !ok || !two || key == "" || strings.Contains(key, ".") {
		return false
	}
	term, err := base64.StdEncoding.DecodeString(process)
	return err == nil && isPid(term)
}

// isPid says whether a term is the identifier of an Erlang process.
func isPid(term []byte) bool {
	if len(term) < 3 || term[0] != termVersion {
		return false
	}
	numbers := map[byte]int{termPid: pidNumbers, termNewPid: pidNumbersLong}[term[1]]
	node := nodeLen(term[2:])
	return numbers > 0 && node > 0 && node == len(term)-2-numbers
}

// nodeLen returns how many bytes an atom at the beginning of a term takes, or 0.
func nodeLen(term []byte) int {
	switch {
	case len(term) >= 2 && (term[0] == termSmallAtom || term[0] == termSmallUTF8):
		return 2 + int(term[1])
	case len(term) >= 3 && (term[0] == termAtom || term[0] == termUTF8):
		return 3 + int(binary.BigEndian.Uint16(term[1:]))
	}
	return 0
}
