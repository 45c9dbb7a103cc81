package partitions_test

import (
	"fmt"
	"hash/fnv"
	"time"
)

// tries is how often an attempt is made in place before a message is parked.
const tries = 4

// message is the payload: the Nth message of a key, from 1.
type message struct {
	Key string
	N   int
}

// id is its message id.
func (m message) id() string { return fmt.Sprintf("%s/%d", m.Key, m.N) }

// chance returns a number below n that depends on the message, the seed and what else is given.
func (m message) chance(n uint64, seed uint64, more string) uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, m.Key, m.N, seed, more)
	return h.Sum64() % n
}

// poison says whether all attempts fail.
func (m message) poison(seed uint64) bool { return m.chance(200, seed, "poison") == 0 }

// fails says whether an attempt fails: two of a hundred do. A try is the process's own count.
func (m message) fails(seed uint64, process string, try int) bool {
	return m.poison(seed) || m.chance(100, seed, fmt.Sprint(process, try)) < 2
}

// takes is how long a handler takes.
func (m message) takes(seed uint64) time.Duration {
	return time.Duration(m.chance(25, seed, "takes")) * time.Millisecond
}
