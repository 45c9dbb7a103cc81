package amqptest

import (
	"io"
	"net"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/Shopify/toxiproxy/v2/stream"
)

// link is one client's connection and the one made for it.
type link struct {
	proxy          *Proxy
	client, server *net.TCPConn
	toxics         *toxiproxy.ToxicCollection

	toBroker, toClient *pipe

	ended bool // guarded by Proxy.mu
}

// pipe is one direction of a link. Bytes go from a socket through Read into toxiproxy's chain of
// toxics, out of it through Write into the queue, and from there to the other socket.
//
// Write never blocks. Toxiproxy cannot change a chain that cannot get rid of its bytes, and
// drops them after 5 s of trying; so Read is what waits when the receiver is slow.
type pipe struct {
	link     *link
	from, to *net.TCPConn

	// guarded by Proxy.mu
	queue    [][]byte // have come through the chain
	within   int      // bytes that were read and neither written nor lost
	drained  bool     // the chain has ended: nothing comes any more
	finished bool     // see Proxy.HalfClose
	closed   bool     // the receiver has been told so
	lost     bool     // see Proxy.Blackhole
	silent   bool     // the sender has closed its side, and the link is not to know
}

// window is how many bytes may be between the sockets, as if on the wire.
const window = 1 << 20

func newLink(p *Proxy, client, server *net.TCPConn) *link {
	l := &link{proxy: p, client: client, server: server}
	l.toBroker = &pipe{link: l, from: client, to: server}
	l.toClient = &pipe{link: l, from: server, to: client}
	return l
}

// start lets the bytes move. Proxy.moving counts each pipe twice: its flush, and the chain, which
// ends with Close.
func (l *link) start(s speed) {
	l.toxics = toxiproxy.NewProxy(carrier, "", "", "").Toxics
	slow(l.toxics, s)
	for direction, pipe := range map[stream.Direction]*pipe{stream.Upstream: l.toBroker, stream.Downstream: l.toClient} {
		l.proxy.moving.Add(1)
		l.proxy.moving.Go(pipe.flush)
		l.toxics.StartLink(carrier, direction.String(), pipe, pipe, direction)
	}
}

// reset ends the link, on both sides, as a crash of a machine between them does. The caller
// holds Proxy.mu.
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
	l.proxy.moving.Go(func() { // or toxics sit out their delays
		l.proxy.pace.Lock()
		defer l.proxy.pace.Unlock()
		unslow(l.toxics)
	})
}

// opposite is the other direction of the link.
func (d *pipe) opposite() *pipe {
	if d == d.link.toBroker {
		return d.link.toClient
	}
	return d.link.toBroker
}

// Read is where toxiproxy gets the bytes. It ends with the sender's side of the connection, or the link.
func (d *pipe) Read(buf []byte) (int, error) {
	p := d.link.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	for !d.link.ended && (p.frozen || d.within >= window) {
		p.changed.Wait()
	}
	if d.link.ended {
		return 0, io.EOF
	}

	p.mu.Unlock()
	n, err := d.from.Read(buf)
	p.mu.Lock()
	d.within += n
	if n > 0 || err == nil {
		return n, nil // the error comes again
	}

	if d.lost {
		d.silent = true
		if d.opposite().silent {
			d.link.end() // nobody is left who could be told
		}
	}
	for d.silent && !d.link.ended {
		p.changed.Wait()
	}
	return 0, io.EOF
}

// Write is where toxiproxy puts them; see pipe.
func (d *pipe) Write(buf []byte) (int, error) {
	p := d.link.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	if d.link.ended || d.lost || d.finished {
		d.within -= len(buf)
	} else {
		d.queue = append(d.queue, append([]byte(nil), buf...))
	}
	p.changed.Broadcast()
	return len(buf), nil
}

// Close is toxiproxy's last word: the chain has ended.
func (d *pipe) Close() error {
	p := d.link.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	d.drained = true
	p.changed.Broadcast()
	p.moving.Done()
	return nil
}

// flush writes the queue to the other socket, until the link ends.
func (d *pipe) flush() {
	p := d.link.proxy
	p.mu.Lock()
	defer p.mu.Unlock()
	for !d.link.ended {
		switch {
		case p.frozen || d.lost:
			p.changed.Wait()
		case len(d.queue) > 0:
			d.writeFirst()
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

// writeFirst writes what is first in the queue. The caller holds Proxy.mu, which it gives up meanwhile.
func (d *pipe) writeFirst() {
	p, first := d.link.proxy, d.queue[0]
	d.queue = d.queue[1:]
	p.mu.Unlock()
	_, err := d.to.Write(first)
	p.mu.Lock()
	d.within -= len(first)
	if err != nil {
		if d.opposite().lost { // so is the news that the receiver is gone
			d.lose()
		} else {
			d.link.end()
		}
	}
	p.changed.Broadcast()
}

// lose drops what is on its way, and what comes. The caller holds Proxy.mu.
func (d *pipe) lose() {
	d.lost = true
	for _, chunk := range d.queue {
		d.within -= len(chunk)
	}
	d.queue = nil
}
