package link_test

import (
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// The helpers that stand for both packages of connections, by the names that tests use.
var (
	connect = connecttest.Make
	within  = connecttest.Within
	soon    = connecttest.Soon
	session = connecttest.Session
	works   = connecttest.Works
)

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
