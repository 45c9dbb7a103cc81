package control

import (
	"crypto/sha256"
	"encoding/hex"
	"unicode/utf8"
)

const (
	maxName  = 255 // bytes of a name or a routing key (AMQP 0-9-1, section 4.2.5.3)
	maxQueue = 240 // bytes of a queue's name in a key, so that any What has room
)

// EventKey is the routing key of an event: the name of the consumer's main queue, a dot, and what
// happened, as in "orders.parked". In a binding "*" is any one event of the queue, since What has
// no dots; "#.parked" is what is parked anywhere. Dots in the name of a queue make words of a
// topic, so "eu.#" is all events of queues whose names begin with "eu.".
//
// A name of more than 240 bytes is shortened, and a hash of it appended, so that no two queues have
// the same key. Event.Queue has the whole name.
func EventKey(queue string, what What) string {
	if len(queue) > maxQueue {
		sum := sha256.Sum256([]byte(queue))
		queue = cutName(queue, maxQueue-17) + "~" + hex.EncodeToString(sum[:8])
	}
	return queue + "." + string(what)
}

// cutName shortens a name to at most n bytes, between two runes.
func cutName(name string, n int) string {
	for n > 0 && !utf8.RuneStart(name[n]) {
		n--
	}
	return name[:n]
}
