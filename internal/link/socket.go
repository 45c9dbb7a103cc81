package link

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// socket is the connection that the client library reads and writes. It wraps the net.Conn of a
// session.
//
// It detects a dead peer. The library hangs on a stalled one: only closing the net.Conn frees a
// stuck write, and the library does not close it while that write holds the library's locks. So a
// socket closes itself when a read fails or takes too long.
//
// It saves system calls. The library writes each message and each ack by itself. The socket gathers
// those that come while earlier ones are being written. The library reads 4 KiB at a time, the
// socket 64 KiB. The library would set a deadline for each frame; the socket has no SetReadDeadline
// to offer it.
type socket struct {
	conn net.Conn
	in   *bufio.Reader

	once sync.Once
	gone chan struct{} // closed by abort
	mu   sync.Mutex
	// A read that takes longer means that the peer is gone. It is 0 during the handshake.
	idle time.Duration
	err  error // the first error

	out outbox
}

// Sizes of the buffers, in bytes.
const (
	readAhead = 64 << 10
	gathered  = 64 << 10 // Write waits while the outbox holds more
)

func newSocket(conn net.Conn) *socket {
	s := &socket{conn: conn, gone: make(chan struct{})}
	s.in = bufio.NewReaderSize((*reading)(s), readAhead)
	s.out.change.L = &s.out.mu
	s.out.more = make(chan struct{}, 1)
	go s.send()
	return s
}

// Read implements io.Reader for the library.
func (s *socket) Read(p []byte) (int, error) { return s.in.Read(p) }

// reading is the socket as its read buffer uses it.
type reading socket

func (r *reading) Read(p []byte) (int, error) {
	s := (*socket)(r)
	idle, err := s.extend()
	if err != nil {
		return 0, err
	}
	n, err := s.conn.Read(p)
	if err != nil {
		var timeout net.Error
		if errors.As(err, &timeout) && timeout.Timeout() {
			err = fmt.Errorf("no sign of life for %s: %w", idle, err)
		}
		s.abort(err)
	}
	return n, err
}

// expect sets how long a read may take, and applies that to a read that already waits.
func (s *socket) expect(idle time.Duration) {
	s.mu.Lock()
	s.idle = idle
	s.mu.Unlock()
	_, _ = s.extend()
}

// extend moves the read deadline, so that the peer has the whole idle time again.
func (s *socket) extend() (time.Duration, error) {
	// The lock covers both lines, so that the later deadline belongs to the later idle.
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.idle == 0 {
		return 0, nil
	}
	return s.idle, s.conn.SetReadDeadline(time.Now().Add(s.idle))
}

// outbox holds the bytes that the library has written and the sender has not.
type outbox struct {
	mu      sync.Mutex
	change  sync.Cond     // bytes were sent, or the socket has ended
	more    chan struct{} // there are bytes to send
	bytes   []byte
	sending bool      // a goroutine writes to the net.Conn
	last    time.Time // when the last write ended
	err     error     // why nothing more is sent
}

// rest is how long a socket must have written nothing before Write writes to the net.Conn itself. A
// write after such a pause usually comes alone. Waking the sender for it would cost its goroutine
// more time than gathering saves. The case latency of bench measures such writes.
const rest = 200 * time.Microsecond

// Write writes p, or leaves it to the sender, which is woken at once. An error of Write is that of
// an earlier write. It leaves the net.Conn open for reading: the broker may have said why it closed
// the connection.
func (s *socket) Write(p []byte) (int, error) {
	o := &s.out
	o.mu.Lock()
	defer o.mu.Unlock()
	large := len(p) >= gathered // copying it would cost more than gathering saves
	for (o.sending && large || len(o.bytes) >= gathered && !large) && o.err == nil {
		o.change.Wait()
	}
	switch {
	case o.err != nil:
		return 0, o.err
	case large:
		s.writeBehind(p)
	case !o.busy() && time.Since(o.last) > rest:
		s.write(p)
	default:
		o.bytes = append(o.bytes, p...)
	}
	if len(o.bytes) > 0 && !o.sending {
		select {
		case o.more <- struct{}{}:
		default:
		}
	}
	return len(p), nil
}

// send is the sender, a goroutine that writes to the net.Conn until the socket ends.
func (s *socket) send() {
	o := &s.out
	var bytes []byte
	for {
		select {
		case <-o.more:
		case <-s.gone:
			return
		}
		o.mu.Lock()
		for len(o.bytes) > 0 && !o.sending && o.err == nil {
			bytes, o.bytes = o.bytes, bytes[:0]
			s.write(bytes)
			if cap(bytes) > 4*gathered { // left by a large message
				bytes = nil
			}
		}
		o.mu.Unlock()
	}
}

// writeBehind writes what waits, and p, with one system call where the net.Conn can. It is called
// with the outbox locked.
func (s *socket) writeBehind(p []byte) {
	o := &s.out
	if len(o.bytes) == 0 {
		s.write(p)
		return
	}
	waiting := o.bytes
	o.bytes = nil
	s.write(waiting, p)
	if o.bytes == nil && o.err == nil {
		o.bytes = waiting[:0]
	}
}

// write is called with the outbox locked, and returns with it locked. It unlocks the outbox while
// it writes.
func (s *socket) write(p ...[]byte) {
	o := &s.out
	o.sending = true
	o.change.Broadcast()
	o.mu.Unlock()
	err := s.writeOut(p)
	now := time.Now()
	if err != nil {
		s.blame(err)
		o.fail(err)
	}
	o.mu.Lock()
	o.sending, o.last = false, now
	o.change.Broadcast()
}

func (s *socket) writeOut(p [][]byte) error {
	if len(p) == 1 {
		_, err := s.conn.Write(p[0])
		return err
	}
	several := net.Buffers(p)
	_, err := several.WriteTo(s.conn)
	return err
}

// busy says whether bytes are being written or wait for that.
func (o *outbox) busy() bool { return o.sending || len(o.bytes) > 0 }

// fail wakes every goroutine that waits for the outbox.
func (o *outbox) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
	o.bytes = nil
	o.change.Broadcast()
}

// lastWords is how long Close may take to send what is left, such as the answer to the broker's
// connection.close.
const lastWords = 250 * time.Millisecond

// Close implements io.Closer for the library. It sends what is left.
func (s *socket) Close() error {
	o := &s.out
	// A stuck write may not make Close wait longer.
	_ = s.conn.SetWriteDeadline(time.Now().Add(lastWords))
	o.mu.Lock()
	for o.busy() && o.err == nil {
		o.change.Wait()
	}
	o.mu.Unlock()
	s.abort(net.ErrClosed)
	return nil
}

// abort closes the socket at once.
func (s *socket) abort(err error) {
	s.once.Do(func() {
		s.blame(err)
		// Close of a TLS connection sends close_notify first, behind a write that may be stuck.
		if c, ok := s.conn.(*tls.Conn); ok {
			c.NetConn().Close()
		} else {
			s.conn.Close()
		}
		s.out.fail(net.ErrClosed)
		close(s.gone)
	})
}

// blame keeps the first error.
func (s *socket) blame(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// cause returns the first error, nil while there is none.
func (s *socket) cause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
