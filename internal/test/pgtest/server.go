package pgtest

import (
	"testing"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// Server is a PostgreSQL of the test's own. Its methods are for one goroutine.
type Server struct {
	t    testing.TB
	node node

	// DSN is the URL of a database. It stays the same when the server is started again.
	DSN string
}

// Start starts a server, which ends with the test. Each setting is a line of a postgresql.conf,
// such as "max_connections = 10". The server does not sync what it writes.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	amqptest.Long(t)
	n, dismiss, err := newNode(settings)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	s := &Server{t: t, node: n}
	t.Cleanup(func() {
		s.run("wipe") // the guard wipes it too if this fails
		if err := dismiss(); err != nil {
			t.Errorf("pgtest: its guard: %v", err)
		}
	})
	s.Start()
	s.DSN = s.run("url")
	return s
}

// Start starts a server that was stopped or killed. It returns when the server answers.
func (s *Server) Start() { s.t.Helper(); s.run("up") }

// Stop stops the server. Its clients are told so, and not waited for.
func (s *Server) Stop() { s.t.Helper(); s.run("down") }

// Kill is kill -9, of the server and its backends.
func (s *Server) Kill() { s.t.Helper(); s.run("kill") }

// Database makes a database of t's own in the server, and returns its URL. It is dropped when t
// ends.
func (s *Server) Database(t testing.TB) string { t.Helper(); return create(t, s.DSN) }

// Terminate ends the sessions of at most n clients, or of all if n is 0, and returns how many.
func (s *Server) Terminate(n int) int { s.t.Helper(); return Terminate(s.t, s.DSN, n) }

func (s *Server) run(verb string) string {
	s.t.Helper()
	out, err := s.node.run(verb)
	if err != nil {
		s.t.Fatalf("pgtest: %v", err)
	}
	return out
}
