package consumer

import "sync"

// inTurn keeps the handlers of a partition from starting while a copy of one of its messages is on
// its way. A connection that is lost meanwhile would bring the message back behind the next one of
// its key. It closes the gate, which in a partition no guard does.
type inTurn struct {
	pool *pool // immutable

	mu     sync.Mutex // guards copies, and orders what is done with the gate
	copies int        // on their way; whoever settles changes it
}

// begin is called before the worker of the copy's message takes another one.
func (t *inTurn) begin() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.copies++
	t.pool.gate.closed.Store(true)
}

// end is called when the message is settled, or its session has ended.
func (t *inTurn) end() {
	if t == nil {
		return
	}
	t.mu.Lock()
	t.copies--
	open := t.copies == 0
	if open {
		t.pool.gate.open()
	}
	t.mu.Unlock()
	if open {
		t.pool.rouse()
	}
}
