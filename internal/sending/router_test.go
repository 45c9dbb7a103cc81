package sending

import (
	"fmt"
	"testing"
)

// The channel of a lane is held, and has messages of two keys: each gets another lane, and the lane
// ends. One message was being written, and is found on it later, when its key is not apart any more.
func TestALaneThatHasEndedIsLeftToNoKey(t *testing.T) {
	newLane := func(isOwn bool) *lane {
		return &lane{own: isOwn, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	}
	var r router
	k := key{routing: "orders"}
	l := r.choose(k, newLane)
	l.end()
	if r.held(l, []key{k}, newLane) {
		t.Error("the key keeps it")
	}
	if to := r.choose(k, newLane); to == l || to.isOver() {
		t.Error("messages of the key go to it, for ever")
	}
}

func TestOnlyKeysWithMessagesAndTheLatestOneAreKept(t *testing.T) {
	var r router
	open := func(bool) *lane { return new(lane) }
	var messages []*Message
	for i := range 100 {
		m := &Message{env: Envelope{RoutingKey: fmt.Sprint(i % 50)}}
		r.enter(m, nil, open)
		messages = append(messages, m)
	}
	if n := r.shared.messages; n != 100 || len(r.routes) != 50 {
		t.Errorf("%d messages of %d keys, want 100 of 50", n, len(r.routes))
	}
	r.left(messages...)
	if n := r.shared.messages; n != 0 || len(r.routes) != 1 {
		t.Errorf("%d messages of %d keys are left", n, len(r.routes))
	}
	r.enter(&Message{env: Envelope{RoutingKey: "another"}}, nil, open)
	if len(r.routes) != 1 {
		t.Errorf("%d keys, want 1", len(r.routes))
	}
}
