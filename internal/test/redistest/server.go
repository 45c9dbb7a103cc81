package redistest

import (
	"context"
	"net"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// patience is how long a redis-server may take to start or to stop.
const patience = 20 * time.Second

// Server is a redis-server on a port of its own, which listens on the loopback address only. Its
// methods are for one goroutine.
type Server struct {
	t       testing.TB
	dir     string
	port    string
	options []string
	process *amqptest.Process

	// Addr is the host and the port. They stay the same when the server is started again.
	Addr string
}

// Start starts a redis-server, which ends with the test. Each option is a line of a redis.conf,
// such as "appendonly yes". Without options the server keeps nothing on disk.
func Start(t testing.TB, options ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("no redis-server to test with: run scripts/need redis-server=redis, or make test-all")
	}
	s := &Server{t: t, dir: t.TempDir(), options: options}
	s.Addr = free(t)
	_, s.port, _ = net.SplitHostPort(s.Addr)
	s.Start()
	return s
}

// free returns an address on which nobody listens.
func free(t testing.TB) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// Start starts a server that was stopped or killed, with what it has on disk. It returns when the
// server answers.
func (s *Server) Start() {
	s.t.Helper()
	s.Launch()
	client := s.Client(s.t)
	amqptest.Eventually(s.t, patience, func() bool {
		select {
		case <-s.process.Ended():
			s.t.Fatalf("redistest: the redis-server has ended:\n%s", s.process.Output())
		default:
		}
		err := client.Ping(s.t.Context()).Err()
		return err == nil || redis.HasErrorPrefix(err, "NOAUTH")
	}, "redistest: the redis-server does not answer")
}

// Launch is Start that does not wait, and adds options.
func (s *Server) Launch(options ...string) {
	s.t.Helper()
	args := []string{"--bind", "127.0.0.1", "--port", s.port, "--dir", s.dir, "--save", "", "--appendonly", "no"}
	for _, o := range slices.Concat(s.options, options) {
		name, value, _ := strings.Cut(o, " ")
		args = append(args, "--"+name, value)
	}
	s.process = amqptest.StartProcess(s.t, nil, amqptest.Program("redis-server", args...))
}

// Client returns a client as package use/redis recommends it. It is closed at cleanup.
func (s *Server) Client(t testing.TB) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: s.Addr, DialerRetries: 1})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// Do runs a command and returns its reply. The test fails if Redis answers with an error.
func (s *Server) Do(args ...any) any {
	s.t.Helper()
	client := redis.NewClient(&redis.Options{Addr: s.Addr})
	defer func() { _ = client.Close() }()
	reply, err := client.Do(context.Background(), args...).Result()
	if err != nil {
		s.t.Fatalf("redistest: %v: %v", args, err)
	}
	return reply
}

// Stop stops the server cleanly.
func (s *Server) Stop() {
	s.t.Helper()
	s.process.Terminate()
	s.process.Wait(patience)
}

// Kill is kill -9.
func (s *Server) Kill() { s.t.Helper(); s.process.Kill() }

// Flush deletes all keys.
func (s *Server) Flush() { s.t.Helper(); s.Do("FLUSHALL") }

// Freeze stops the process without ending it: connections stay, and nothing is answered until Thaw.
func (s *Server) Freeze() { s.t.Helper(); s.signal("STOP") }

// Thaw ends a Freeze.
func (s *Server) Thaw() { s.t.Helper(); s.signal("CONT") }

// signal runs kill(1): Windows has no such signals in package syscall.
func (s *Server) signal(name string) {
	s.t.Helper()
	if out, err := exec.CommandContext(context.WithoutCancel(s.t.Context()), "kill", "-"+name, strconv.Itoa(s.process.Pid())).CombinedOutput(); err != nil {
		s.t.Fatalf("redistest: kill -%s: %v: %s", name, err, out)
	}
}

// Slow makes the server answer nobody for d, and everybody afterwards.
func (s *Server) Slow(d time.Duration) { s.t.Helper(); s.Do("CLIENT", "PAUSE", d.Milliseconds()) }
