package amqptest

import (
	"net"
	"time"
)

// link is a client's connection, and the one that the proxy has made for it.
type link struct {
	proxy          *Proxy
	client, server *net.TCPConn

	toBroker, toClient *pipe

	ended bool // guarded by Proxy.mu
}

// pipe is one direction of a link. One goroutine reads from a socket into the queue, and another
// one writes from the queue to the other socket. The reader waits when the receiver is slow.
type pipe struct {
	link     *link
	from, to *net.TCPConn

	// guarded by Proxy.mu
	queue    []chunk
	within   int       // bytes that were read, and neither written nor lost
	previous time.Time // when the last write ended
	drained  bool      // the sender has closed its side, so no more bytes come
	finished bool      // see Proxy.HalfClose
	closed   bool      // the receiver knows that the sender has closed
	lost     bool      // see Proxy.Blackhole
}

// chunk is the result of one read, or the rest of it.
type chunk struct {
	bytes []byte
	read  time.Time
}

// window is how many bytes may be between the sockets, as on a wire.
const window = 1 << 20

func newLink(p *Proxy, client, server *net.TCPConn) *link {
	l := &link{proxy: p, client: client, server: server}
	l.toBroker = &pipe{link: l, from: client, to: server}
	l.toClient = &pipe{link: l, from: server, to: client}
	return l
}

// start begins to move bytes.
func (l *link) start() {
	for _, pipe := range []*pipe{l.toBroker, l.toClient} {
		l.proxy.moving.Go(pipe.receive)
		l.proxy.moving.Go(pipe.flush)
	}
}

// reset ends the link on both sides, as the crash of a machine between them does. The caller holds
// Proxy.mu.
func (l *link) reset() {
	reset(l.client)
	reset(l.server)
	l.end()
}

func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

// end closes both sides. The caller holds Proxy.mu.
func (l *link) end() {
	if l.ended {
		return
	}
	l.ended = true
	delete(l.proxy.links, l)
	_ = l.client.Close()
	_ = l.server.Close()
	l.proxy.changed.Broadcast()
}

// opposite returns the other direction of the link.
func (d *pipe) opposite() *pipe {
	if d == d.link.toBroker {
		return d.link.toClient
	}
	return d.link.toBroker
}

// receive reads into the queue, until the sender closes its side or the link ends.
func (d *pipe) receive() {
	p := d.link.proxy
	buf := make([]byte, 32<<10)
	p.mu.Lock()
	defer p.mu.Unlock()
	for !d.drained {
		for !d.link.ended && (p.frozen || d.within >= window) {
			p.changed.Wait()
		}
		if d.link.ended {
			return
		}
		p.mu.Unlock()
		n, err := d.from.Read(buf)
		p.mu.Lock()
		d.enqueue(buf[:n])
		d.drained = err != nil
		p.changed.Broadcast()
	}
}

// enqueue adds bytes to the queue, unless they are lost. The caller holds Proxy.mu.
func (d *pipe) enqueue(bytes []byte) {
	if len(bytes) == 0 || d.link.ended || d.lost || d.finished {
		return
	}
	d.within += len(bytes)
	d.queue = append(d.queue, chunk{append([]byte(nil), bytes...), time.Now()})
}

// flush writes the queue to the other socket, until the link ends.
func (d *pipe) flush() {
	p := d.link.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	for !d.link.ended {
		switch {
		case d.unheard() && d.opposite().unheard():
			d.link.end() // no receiver is left
		case p.frozen || d.lost:
			p.changed.Wait()
		case len(d.queue) > 0:
			d.writeInTime()
		case d.drained:
			d.link.end()
		case d.finished && !d.closed:
			d.closed = true
			_ = d.to.CloseWrite()
		default:
			p.changed.Wait()
		}
	}
}

// unheard says that the sender has closed its side, and that the receiver must not learn it.
func (d *pipe) unheard() bool { return d.lost && d.drained }

// writeInTime writes the next bytes, or waits until they may be written or something changes. The
// caller holds Proxy.mu.
func (d *pipe) writeInTime() {
	p, first := d.link.proxy, d.queue[0]
	n := p.speed.piece(len(first.bytes))
	early := time.Until(p.speed.arrival(first.read, d.previous, n))
	if early <= 0 {
		d.write(n)
		return
	}
	alarm := time.AfterFunc(early, func() {
		// Without the lock the timer could broadcast before Wait.
		p.mu.Lock()
		defer p.mu.Unlock()
		p.changed.Broadcast()
	})
	p.changed.Wait()
	alarm.Stop()
}

// write writes the first n bytes of the queue, all of one chunk. The caller holds Proxy.mu, which
// write unlocks meanwhile.
func (d *pipe) write(n int) {
	p, first := d.link.proxy, d.queue[0]
	if n < len(first.bytes) {
		d.queue[0].bytes = first.bytes[n:]
	} else {
		d.queue = d.queue[1:]
	}
	p.mu.Unlock()
	_, err := d.to.Write(first.bytes[:n])
	p.mu.Lock()
	d.previous = time.Now()
	d.within -= n
	if err != nil {
		if d.opposite().lost { // the sender must not learn that the receiver is gone
			d.lose()
		} else {
			d.link.end()
		}
	}
	p.changed.Broadcast()
}

// lose drops the queue, and all later bytes. The caller holds Proxy.mu.
func (d *pipe) lose() {
	d.lost = true
	for _, chunk := range d.queue {
		d.within -= len(chunk.bytes)
	}
	d.queue = nil
}
