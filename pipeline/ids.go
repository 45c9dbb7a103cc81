package pipeline

import (
	"strings"

	"github.com/google/uuid"
)

// namespace is that of the ids of outputs (RFC 9562, section 5.5).
var namespace = uuid.MustParse("9b6d2c1e-52c4-4b0a-8d3c-7f1f0a4c63e5")

// outputID is the message id of an output: a UUIDv5 of the job and the output's path, so that all
// runs of a message give its outputs the same ids. docs/wire has it for other languages.
func outputID(n *node, path string) string { return n.derive(path) }

// keyedID is that of an output with a key: a UUIDv5 of the job, its message's path and the key.
func keyedID(n *node, key string) string { return n.derive(n.path.String(), key) }

// derive makes a UUIDv5 of what a message is below, and of words. A message of no job is known by
// its id.
func (n *node) derive(words ...string) string {
	below := []string{n.job}
	if n.job == "" {
		below = append(below, n.id)
	}
	return uuid.NewSHA1(namespace, []byte(strings.Join(append(below, words...), "\x00"))).String()
}
