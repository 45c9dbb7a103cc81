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

// socket is what the client library reads and writes: the net.Conn beneath a session, which is ours.
//
// It exists because the library hangs on a stalled peer: nothing but closing the net.Conn frees a write
// that is stuck, and the library does not do it while that write holds its locks. So a
// socket whose reading fails, or is silent for too long, closes itself.
//
// And it saves system calls. The library writes each message and each ack by itself; here they are gathered while the ones
// before them are on their way. It reads 4 KiB at a time; here it is sixteen times that. It has no deadlines, as the library
// would set one for each frame.
type socket struct {
	conn net.Conn
	in   *bufio.Reader

	once sync.Once
	gone chan struct{} // closed at the end
	mu   sync.Mutex
	idle time.Duration // a read that takes longer means that the peer is gone; 0 in the handshake
	err  error         // what went wrong first

	out outbox
}

// Sizes of the buffers, in bytes.
const (
	readAhead = 64 << 10
	gathered  = 64 << 10 // Write waits while there is more
)

func newSocket(conn net.Conn) *socket {
	s := &socket{conn: conn, gone: make(chan struct{})}
	s.in = bufio.NewReaderSize((*reading)(s), readAhead)
	s.out.change.L = &s.out.mu
	s.out.more = make(chan struct{}, 1)
	go s.send()
	return s
}

// Read is the library's.
func (s *socket) Read(p []byte) (int, error) { return s.in.Read(p) }

// reading is the socket as its read-ahead sees it.
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

// expect sets how long a read may take, and that of the one which waits already.
func (s *socket) expect(idle time.Duration) {
	s.mu.Lock()
	s.idle = idle
	s.mu.Unlock()
	_, _ = s.extend()
}

// extend gives the peer the whole of that time again.
func (s *socket) extend() (time.Duration, error) {
	s.mu.Lock() // held over both, so that the later deadline is that of the later idle
	defer s.mu.Unlock()
	if s.idle == 0 {
		return 0, nil
	}
	return s.idle, s.conn.SetReadDeadline(time.Now().Add(s.idle))
}

// outbox is what the library has written and send has not.
type outbox struct {
	mu      sync.Mutex
	change  sync.Cond     // something was sent, or the socket has ended
	more    chan struct{} // there is something to send
	bytes   []byte
	sending bool      // somebody writes to the net.Conn
	last    time.Time // when that ended
	err     error     // nothing more is sent
}

// rest is how long the socket must have written nothing for the next to be written at once, by who writes it: it comes
// alone, and to wake the sender would cost it more time than it saves the others.
const rest = 200 * time.Microsecond

// Write writes p, or keeps it for the sender, who is at it at once. Its error is that of an earlier one, and leaves the net.Conn
// open: the broker may have said why it closed it.
func (s *socket) Write(p []byte) (int, error) {
	o := &s.out
	o.mu.Lock()
	defer o.mu.Unlock()
	large := len(p) >= gathered // to copy it would cost more than it saves
	for (len(o.bytes) >= gathered || large && o.busy()) && o.err == nil {
		o.change.Wait()
	}
	if o.err != nil {
		return 0, o.err
	}
	if !o.busy() && (large || time.Since(o.last) > rest) {
		s.write(p)
	} else {
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

// send is the goroutine that writes to the net.Conn, until the socket ends.
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
			if cap(bytes) > 4*gathered { // a giant's
				bytes = nil
			}
		}
		o.mu.Unlock()
	}
}

// write is called, and returns, with the outbox locked; it is unlocked while p is on its way.
func (s *socket) write(p []byte) {
	o := &s.out
	o.sending = true
	o.change.Broadcast()
	o.mu.Unlock()
	_, err := s.conn.Write(p)
	now := time.Now()
	if err != nil {
		s.blame(err)
		o.fail(err)
	}
	o.mu.Lock()
	o.sending, o.last = false, now
	o.change.Broadcast()
}

// busy says whether something is on its way, or waits for that.
func (o *outbox) busy() bool { return o.sending || len(o.bytes) > 0 }

// fail lets nobody wait any more.
func (o *outbox) fail(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		o.err = err
	}
	o.bytes = nil
	o.change.Broadcast()
}

// lastWords is how long Close may take to send what is left, such as the answer to the broker's goodbye.
const lastWords = 250 * time.Millisecond

// Close is the library's.
func (s *socket) Close() error {
	o := &s.out
	_ = s.conn.SetWriteDeadline(time.Now().Add(lastWords)) // so that the waiting ends
	o.mu.Lock()
	for o.busy() && o.err == nil {
		o.change.Wait()
	}
	o.mu.Unlock()
	s.abort(net.ErrClosed)
	return nil
}

// abort closes at once, and keeps the first reason.
func (s *socket) abort(err error) {
	s.once.Do(func() {
		s.blame(err)
		// A TLS connection would first try to send close_notify, behind a write that may be stuck.
		if c, ok := s.conn.(*tls.Conn); ok {
			c.NetConn().Close()
		} else {
			s.conn.Close()
		}
		s.out.fail(net.ErrClosed)
		close(s.gone)
	})
}

// blame keeps the first reason.
func (s *socket) blame(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
}

// cause is what went wrong first, nil while nothing did.
func (s *socket) cause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
