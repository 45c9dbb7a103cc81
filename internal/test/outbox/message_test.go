package outbox_test

import (
	"encoding/json"
	"hash/fnv"
	"time"
)

// kind is what becomes of a message.
type kind string

const (
	work    kind = "work"    // handled; its handler may put mail
	mail    kind = "mail"    // put by the handler of work
	poison  kind = "poison"  // parked by its consumer
	nowhere kind = "nowhere" // given up by the relay: no queue takes it
	far     kind = "far"     // due in an hour, and cancelled before
)

// route is the routing key of a kind.
func (k kind) route() string {
	if k == poison || k == far {
		return string(work)
	}
	return string(k)
}

// published returns whether such a message gets into a queue.
func (k kind) published() bool { return k == work || k == mail || k == poison }

// message is a payload, and a line of the ledger.
type message struct {
	ID    string
	Kind  kind
	Key   string `json:",omitempty"` // messages of one key are published in the order of N
	N     int    `json:",omitempty"` // from 1 on
	Job   string `json:",omitempty"`
	Needs string `json:",omitempty"` // the id of the message that is handled before it
	Due   int64  `json:",omitempty"` // microseconds since 1970; not published before
}

// delay returns how long it is to wait.
func (m message) delay() time.Duration {
	if m.Due == 0 {
		return 0
	}
	return max(0, time.Until(time.UnixMicro(m.Due)))
}

// chance returns a number below n that depends on the id only.
func (m message) chance(n uint64) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(m.ID))
	return h.Sum64() % n
}

func readMessage(body []byte) (m message, err error) {
	err = json.Unmarshal(body, &m)
	return m, err
}
