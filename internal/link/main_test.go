package link_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// connect makes a Connection that is stopped at the test's cleanup.
func connect(t testing.TB, cfg connection.Config) *connection.Connection {
	t.Helper()
	if cfg.MinBackoff == 0 {
		cfg.MinBackoff, cfg.MaxBackoff = 20*time.Millisecond, 200*time.Millisecond
	}
	conn, err := connection.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Stop(within(t, 5*time.Second)); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return conn
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// soon returns a context for an operation that should take no time.
func soon(t testing.TB) context.Context { return within(t, 15*time.Second) }

// session returns the live session of a link.
func session(t testing.TB, l transport.Link) transport.Session {
	t.Helper()
	s, err := l.Session(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// works checks that the session's broker answers.
func works(t testing.TB, s transport.Session) {
	t.Helper()
	ch, err := s.Channel(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Do(soon(t), "close", ch.Close); err != nil {
		t.Error(err)
	}
}

// ended waits for the end of a session.
func ended(t testing.TB, s transport.Session) {
	t.Helper()
	select {
	case <-s.Done():
	case <-soon(t).Done():
		t.Fatal("the session does not end")
	}
}

// events records the notices of a Connection.
type events struct {
	mu  sync.Mutex
	all []connection.Event
}

func listen(conn *connection.Connection) *events {
	e := &events{}
	conn.Notify(func(event connection.Event) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.all = append(e.all, event)
	})
	return e
}

func (e *events) kinds(purpose string) (kinds []connection.Kind) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, event := range e.all {
		if event.Purpose == purpose {
			kinds = append(kinds, event.Kind)
		}
	}
	return kinds
}

// through returns a Config whose connections go through a proxy.
func through(t testing.TB) (connection.Config, *amqptest.Proxy) {
	t.Helper()
	proxy := amqptest.NewProxy(t, amqptest.URL(t))
	return connection.Config{URL: proxy.URL()}, proxy
}
