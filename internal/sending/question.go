package sending

import (
	"sync"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// question is a request on a confirm channel that changes nothing. The answer shows that the broker
// has taken all that was written on the channel before. It may take a minute, or come with the end
// of the channel. Only one request at a time may be made on a channel, so there is no question
// beside the close.
type question struct {
	mu     sync.Mutex    // guards what is below
	over   bool          // the channel is about to be closed
	answer chan struct{} // to the last question, closed when it has come; nil before the first
}

// ask asks, unless an answer is still to come. The result is closed when it has come.
func (q *question) ask(ch transport.Channel) (answer <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.over || q.answer != nil && !isClosed(q.answer) {
		return q.answer
	}
	done := make(chan struct{})
	q.answer = done
	go func() {
		defer close(done)
		_ = ch.Confirm(false)
	}()
	return done
}

// last lets nobody ask any more, and waits for the answer that is still to come.
func (q *question) last() {
	q.mu.Lock()
	q.over = true
	answer := q.answer
	q.mu.Unlock()
	if answer != nil {
		<-answer
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
