package link_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/link"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// alone returns a Session whose socket has no broker at the other end.
func alone(t *testing.T) (link.Session, net.Conn) {
	ours, theirs := net.Pipe()
	t.Cleanup(func() { _, _ = ours.Close(), theirs.Close() })
	s := link.NewSession(ours, 30*time.Second)
	t.Cleanup(func() { s.Abort(errors.New("the test is over")) })
	return s, theirs
}

func TestDoReturnsWhatTheBrokerAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := alone(t)
		no := errors.New("no")
		if err := s.Do(t.Context(), "ask", func() error { return no }); !errors.Is(err, no) {
			t.Errorf("got %v, want %v", err, no)
		}
		if err := s.Do(t.Context(), "ask", func() error { time.Sleep(29 * time.Second); return nil }); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		if s.Cause() != nil {
			t.Errorf("an answer in time ends the session: %v", s.Cause())
		}
	})
}

func TestABrokerThatDoesNotAnswerLosesTheSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, theirs := alone(t)
		began := time.Now()
		err := s.Do(t.Context(), "open a channel", func() error {
			_, err := theirs.Read(make([]byte, 1)) // until the socket is closed
			return err
		})
		if took := time.Since(began); took != 30*time.Second {
			t.Errorf("after %s, want the ReplyTimeout", took)
		}
		if !errors.Is(err, transport.ErrNoReply) || !strings.Contains(err.Error(), "open a channel for 30s") {
			t.Errorf("got %v, want ErrNoReply", err)
		}
		if !errors.Is(s.Cause(), transport.ErrNoReply) {
			t.Errorf("the session's end: %v", s.Cause())
		}
	})
}

func TestDoEndsWithItsContextAndTheTimeoutGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, theirs := alone(t)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		err := s.Do(ctx, "ask", func() error {
			_, err := theirs.Read(make([]byte, 1))
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "ask: ") || time.Since(began) != time.Second {
			t.Errorf("got %v after %s", err, time.Since(began))
		}
		time.Sleep(28 * time.Second)
		if s.Cause() != nil {
			t.Errorf("ended too early: %v", s.Cause())
		}
		time.Sleep(2 * time.Second)
		if !errors.Is(s.Cause(), transport.ErrNoReply) {
			t.Errorf("what was asked still hangs: %v", s.Cause())
		}

		called := false
		if err := s.Do(ctx, "ask", func() error { called = true; return nil }); !errors.Is(err, context.DeadlineExceeded) || called {
			t.Errorf("with a context that has ended: %v, called: %v", err, called)
		}
	})
}

func TestTheFirstReasonToAbortIsKept(t *testing.T) {
	s, _ := alone(t)
	first := errors.New("first")
	s.Abort(first)
	s.Abort(errors.New("second"))
	if s.Cause() != first {
		t.Errorf("got %v", s.Cause())
	}
	if s.User() != "me" || s.Err() != nil {
		t.Errorf("user %q, err %v", s.User(), s.Err())
	}
}
