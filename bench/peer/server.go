package peer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Config says what a Server delivers.
type Config struct {
	// Body is the body of every message.
	//
	// Defaults to an empty one.
	Body []byte

	// Messages is how many messages each consumer gets.
	//
	// Defaults to no limit. Idle means none.
	Messages int64
}

// Idle is a special value of Config.Messages: consumers get no messages.
const Idle = -1

// Counts says what a Server has received and sent.
type Counts struct {
	Delivered   int64 // messages
	Expired     int64 // those of the delivered messages that have waited in a retry queue
	Acked       int64 // messages
	GivenBack   int64 // messages, by nack or reject with requeue
	Settlements int64 // frames that acked or gave back; one may be for many messages
	Published   int64 // messages
	Confirms    int64 // frames; one may be for many messages
}

type counters struct{ delivered, expired, acked, givenBack, settlements, published, confirms atomic.Int64 }

// Server serves AMQP on a port of 127.0.0.1 until Close. Make it with Listen.
type Server struct {
	config   Config
	listener net.Listener
	counts   counters
	waiting  *waiting
	// The goroutines that accept and those of connections; Close waits for them.
	serving sync.WaitGroup

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
	s := newServer(cfg)
	s.listener = l
	s.serving.Go(s.accept)
	return s, nil
}

func newServer(cfg Config) *Server {
	return &Server{
		config: cfg, conns: map[*conn]struct{}{},
		waiting: &waiting{begun: time.Now(), queues: map[string]*retryQueue{}, ends: map[string]*deadEnds{}},
	}
}

// URL is the server's address. Any user and password are accepted.
func (s *Server) URL() string { return "amqp://bench:bench@" + s.listener.Addr().String() + "/" }

// Counts returns the counts so far.
func (s *Server) Counts() Counts {
	c := &s.counts
	return Counts{
		Delivered: c.delivered.Load(), Expired: c.expired.Load(), Acked: c.acked.Load(), GivenBack: c.givenBack.Load(),
		Settlements: c.settlements.Load(), Published: c.published.Load(), Confirms: c.confirms.Load(),
	}
}

// Close closes all connections and waits until all goroutines have ended. It returns how clients
// have violated the protocol, if they have.
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

// poke wakes the writers of all connections.
func (s *Server) poke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.poke()
	}
}
