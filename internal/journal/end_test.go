package journal

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// ending is a session that ends a moment after its channels.
type ending struct {
	transport.Session
	done chan struct{}
	err  error
}

func (s *ending) Done() <-chan struct{} { return s.done }

func (s *ending) Err() error {
	select {
	case <-s.done:
		return s.err
	default:
		return nil
	}
}

// Otherwise a reader whose session a message has ended would read on where consumers are.
func TestTheReasonOfAnEndIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &ending{done: make(chan struct{}), err: errors.New("a message has ended it")}
		time.AfterFunc(20*time.Millisecond, func() { close(s.done) })
		if got := whyEnded(t.Context(), s); got != s.err {
			t.Errorf("it ended by %v, want %v", got, s.err)
		}
	})
}

func TestASessionThatGoesOnHasNoReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if got := whyEnded(t.Context(), &ending{done: make(chan struct{})}); got != nil || time.Since(began) != endsWithin {
			t.Errorf("after %v it ended by %v", time.Since(began), got)
		}
	})
}
