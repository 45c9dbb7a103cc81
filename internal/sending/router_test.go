package sending

import "testing"

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
