package peer

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// conn is one connection. One goroutine serves it and reads; another one writes.
type conn struct {
	server *Server
	socket net.Conn
	in     *bufio.Reader
	wake   chan struct{} // there is something to write

	heartbeat time.Duration // as negotiated; 0 is none

	mu       sync.Mutex // guards the fields below, and all channels
	out      []byte     // answers that the writer has not taken yet
	channels map[uint16]*channel
	order    []*channel // the same channels, so that the first served one varies
	turn     int
	closing  bool // the socket must be closed after out
	broken   error
}

func newConn(s *Server, socket net.Conn) *conn {
	return &conn{
		server: s, socket: socket, in: bufio.NewReaderSize(socket, 2*frameMax),
		wake: make(chan struct{}, 1), channels: map[uint16]*channel{},
	}
}

// serve reads until the connection ends. The error is for a client that violated the protocol.
func (c *conn) serve() error {
	defer c.socket.Close()
	if err := c.handshake(); err != nil {
		return ordinary(fmt.Errorf("handshake: %w", err))
	}
	var writing sync.WaitGroup
	done := make(chan struct{})
	writing.Go(func() { c.write(done) })
	err := c.read()
	close(done)
	c.socket.Close()
	writing.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.broken, ordinary(err))
}

// ordinary removes the errors with which a connection may end.
func ordinary(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

func (c *conn) read() error {
	for {
		f, n, err := readFrame(c.in)
		if err != nil {
			return err
		}
		c.mu.Lock()
		closed := c.handle(f)
		c.mu.Unlock()
		if _, err := c.in.Discard(n); err != nil {
			return err
		}
		// Answer when all received frames are handled. That way many messages share a confirm, and
		// many acks share a delivery.
		if c.in.Buffered() == 0 || closed {
			c.poke()
		}
		if closed {
			_, _ = io.Copy(io.Discard, c.socket) // the writer closes the socket
			return nil
		}
	}
}

func (c *conn) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// batch is about how many bytes of deliveries are written at once.
const batch = 64 * 1024

// write writes answers and deliveries until the connection ends.
func (c *conn) write(done <-chan struct{}) {
	var beat <-chan time.Time
	if c.heartbeat > 0 {
		ticker := time.NewTicker(c.heartbeat / 2)
		defer ticker.Stop()
		beat = ticker.C
	}
	due := time.NewTimer(time.Hour)
	defer due.Stop()
	var buf []byte
	for {
		var closing bool
		if buf, closing = c.next(buf[:0]); len(buf) > 0 {
			if _, err := c.socket.Write(buf); err != nil {
				c.socket.Close()
				return
			}
			if !closing {
				continue
			}
		}
		if closing {
			c.socket.Close()
			return
		}
		if wait, any := c.until(); any {
			due.Reset(wait)
		}
		select {
		case <-c.wake:
		case <-due.C:
		case <-beat:
			c.mu.Lock()
			b, start := begin(c.out, frameHeartbeat, 0)
			c.out = end(b, start)
			c.mu.Unlock()
		case <-done:
			return
		}
	}
}

// next appends answers, confirms and deliveries, in this order.
func (c *conn) next(b []byte) (out []byte, closing bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b = append(b, c.out...)
	c.out = c.out[:0]
	if c.closing {
		return b, true
	}
	for _, ch := range c.order {
		b = ch.confirm(b, &c.server.counts)
	}
	for i := range c.order {
		ch := c.order[(c.turn+i)%len(c.order)]
		b = ch.deliver(b, batch, &c.server.counts)
	}
	c.turn++
	return b, false
}

// until returns how long the next message for a consumer of the connection waits.
func (c *conn) until() (next time.Duration, any bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ch := range c.order {
		if wait, some := ch.until(); some && (!any || wait < next) {
			next, any = wait, true
		}
	}
	return next, any
}
