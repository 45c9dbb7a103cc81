package oncetest

import (
	"bytes"
	"context"
	"net"
	"sync"
	"sync/atomic"
)

// Wire is what a driver dials with, and what counts questions, and loses a commit or the answer to
// it.
type Wire struct {
	writes atomic.Int64 // one for each question to the server

	mu   sync.Mutex // guards what is below
	cut  int        // how many commits more
	sent bool       // the commit arrives, and its answer does not
}

// Dial is for the driver.
func (w *Wire) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &wired{c, w}, nil
}

// cutNext has the connection end over the next commit, which arrives or not.
func (w *Wire) cutNext(arrives bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut, w.sent = 1, arrives
}

// cuts returns whether a connection is to end over what it writes.
func (w *Wire) cuts(b []byte) (cut, sent bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut == 0 || !bytes.Contains(b, []byte("commit\x00")) {
		return false, false
	}
	w.cut--
	return true, w.sent
}

type wired struct {
	net.Conn
	wire *Wire
}

func (c *wired) Write(b []byte) (n int, err error) {
	c.wire.writes.Add(1)
	cut, sent := c.wire.cuts(b)
	if cut && !sent {
		_ = c.Close()
	}
	n, err = c.Conn.Write(b)
	if cut {
		_ = c.Close() // the server reads what was written before it
	}
	return n, err
}
