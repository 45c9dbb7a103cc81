package connecttest

import (
	"context"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// Within returns a context that ends after d, or with the test.
func Within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// Soon returns a context for an operation that should take no time.
func Soon(t testing.TB) context.Context { return Within(t, 15*time.Second) }

// Session returns the live session of a link.
func Session(t testing.TB, l transport.Link) transport.Session {
	t.Helper()
	s, err := l.Session(Soon(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Works checks that the session's broker answers.
func Works(t testing.TB, s transport.Session) {
	t.Helper()
	ch, err := s.Channel(Soon(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Do(Soon(t), "close", ch.Close); err != nil {
		t.Error(err)
	}
}
