package transport_test

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

// Otherwise a reader whose session a message has ended of a stream would read on where consumers are.
func TestTheReasonOfAnEndIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &ending{done: make(chan struct{}), err: errors.New("a message has ended it")}
		time.AfterFunc(20*time.Millisecond, func() { close(s.done) })
		if got := transport.WhyEnded(t.Context(), s, time.Second); got != s.err {
			t.Errorf("it ended by %v, want %v", got, s.err)
		}
	})
}

func TestASessionThatGoesOnHasNoReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if got := transport.WhyEnded(t.Context(), &ending{done: make(chan struct{})}, time.Second); got != nil || time.Since(began) != time.Second {
			t.Errorf("after %v it ended by %v", time.Since(began), got)
		}
	})
}
