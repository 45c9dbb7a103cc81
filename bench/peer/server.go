package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
)

// Config is what a Server delivers.
type Config struct {
	// Body is every message's.
	//
	// Defaults to an empty one.
	Body []byte

	// Messages is how many each consumer gets.
	//
	// Defaults to as many as it takes. Idle means none.
	Messages int64
}

// Idle is a special value of Config.Messages: consumers get nothing.
const Idle = -1

// Counts are what a Server has seen.
type Counts struct {
	Delivered   int64 // messages
	Acked       int64 // messages
	GivenBack   int64 // messages, by nack or reject with requeue
	Settlements int64 // frames that acked or gave back: one may be for many messages
	Published   int64 // messages
	Confirms    int64 // frames: one may be for many messages
}

type counters struct{ delivered, acked, givenBack, settlements, published, confirms atomic.Int64 }

// Server serves AMQP on a port of its own on 127.0.0.1 until Close. Make it with Listen.
type Server struct {
	config   Config
	listener net.Listener
	counts   counters
	serving  sync.WaitGroup // the goroutine that accepts, and each connection's; Close waits for them

	mu     sync.Mutex
	conns  map[*conn]struct{}
	closed bool
	errs   []error
}

// Listen starts a Server.
func Listen(cfg Config) (*Server, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("peer: %w", err)
	}
	s := &Server{config: cfg, listener: l, conns: map[*conn]struct{}{}}
	s.serving.Go(s.accept)
	return s, nil
}

// URL is where it listens. It takes any user and password.
func (s *Server) URL() string { return "amqp://bench:bench@" + s.listener.Addr().String() + "/" }

// Counts tells what it has seen so far.
func (s *Server) Counts() Counts {
	c := &s.counts
	return Counts{
		Delivered: c.delivered.Load(), Acked: c.acked.Load(), GivenBack: c.givenBack.Load(),
		Settlements: c.settlements.Load(), Published: c.published.Load(), Confirms: c.confirms.Load(),
	}
}

// Close closes all connections, waits until all goroutines have ended, and returns in what way clients broke
// the protocol, if they did.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	for c := range s.conns {
		c.socket.Close()
	}
	s.mu.Unlock()
	s.listener.Close()
	s.serving.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.errs...)
}

func (s *Server) accept() {
	for {
		socket, err := s.listener.Accept()
		if err != nil {
			return // Close
		}
		c := newConn(s, socket)
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			socket.Close()
			return
		}
		s.conns[c] = struct{}{}
		s.mu.Unlock()
		s.serving.Go(func() {
			err := c.serve()
			s.mu.Lock()
			defer s.mu.Unlock()
			delete(s.conns, c)
			if err != nil {
				s.errs = append(s.errs, fmt.Errorf("peer: %w", err))
			}
		})
	}
}
