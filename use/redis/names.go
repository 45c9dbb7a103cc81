package redis

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode/utf8"
)

// longest is how many bytes of a key or of a message id stand in Redis as they are.
const longest = 100

// hashed is what the name of a key begins with, behind the prefix, if the key itself is not in it.
const hashed = "sha256-"

// keyName returns the name in Redis for a key: the key itself, or its hash if it is long, binary,
// or looks like a hash. So a name is short and can be read, and no two keys have the same one.
func keyName(prefix, key string) string {
	if len(key) <= longest && printable(key) && !strings.HasPrefix(key, hashed) {
		return prefix + key
	}
	sum := sha256.Sum256([]byte(key))
	return prefix + hashed + hex.EncodeToString(sum[:])
}

// member returns the name of a message in the sorted set of its key.
func member(id string) string {
	if len(id) <= longest {
		return "=" + id
	}
	sum := sha256.Sum256([]byte(id))
	return "#" + string(sum[:])
}

// printable says whether a terminal shows the text as it is.
func printable(text string) bool {
	if !utf8.ValidString(text) {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r == 0x7f || r == utf8.RuneError })
}

// cut shortens a key for an error.
func cut(key string) string {
	if len(key) <= longest {
		return key
	}
	return key[:longest] + "..."
}
