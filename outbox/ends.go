package outbox

import (
	"context"
	"time"
)

// ends are the contexts of a relay's work. They end one after the other.
type ends struct {
	soft context.Context // ends when Stop is called: nothing more is taken
	stop context.CancelFunc
	hard context.Context // ends when Stop has no more time: what is in flight is given up
	kill context.CancelFunc
	last context.Context // ends a second after hard: so does a look, which is about to return
	end  context.CancelFunc
}

func newEnds() (e ends) {
	e.soft, e.stop = context.WithCancel(context.Background())
	e.hard, e.kill = context.WithCancel(context.Background())
	e.last, e.end = context.WithCancel(context.Background())
	return e
}

// hurry is called when Stop has no more time.
func (e ends) hurry() {
	e.kill()
	time.AfterFunc(time.Second, e.end)
}
