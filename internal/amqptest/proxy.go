package amqptest

import (
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Proxy stands between a client and a broker and does to their connections what networks
// do: it cuts them, lets them stall without a word, and is not there at all.
type Proxy struct {
	t      testing.TB
	target string // host:port
	url    string // as NewProxy got it, with the proxy's address

	mu       sync.Mutex
	listener net.Listener // nil while refusing
	addr     string       // stays the same
	links    map[*link]struct{}
	thawed   chan struct{} // closed unless frozen
	closed   bool

	running sync.WaitGroup // accept loops and pumps; the test's cleanup waits for them
}

// link is one client's connection and the one made for it.
type link struct {
	client, server *net.TCPConn
	cut            chan struct{} // closed when the link is cut, for pumps that are frozen
}

// NewProxy starts a proxy on a loopback port in front of target, an AMQP URL or host:port.
// It ends, and what goes through it is cut, at the test's cleanup.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	p := &Proxy{t: t, target: target, links: map[*link]struct{}{}, thawed: make(chan struct{})}
	close(p.thawed)
	if strings.Contains(target, "://") {
		u, err := url.Parse(target)
		if err != nil {
			t.Fatal("amqptest: proxy: the target is not a URL") // the error would show its password
		}
		p.target = u.Host
		if u.Port() == "" {
			p.target = net.JoinHostPort(u.Hostname(), map[string]string{"amqp": "5672", "amqps": "5671"}[u.Scheme])
		}
		p.listen("127.0.0.1:0")
		u.Host = p.addr
		p.url = u.String()
	} else {
		p.listen("127.0.0.1:0")
		p.url = p.addr
	}
	t.Cleanup(p.close)
	return p
}

// URL is the target as a client is to write it to go through the proxy.
func (p *Proxy) URL() string { return p.url }

// Addr is the proxy's host:port.
func (p *Proxy) Addr() string { return p.addr }

// Cut resets the connections that there are, and returns how many; new ones go through.
func (p *Proxy) Cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.links)
	for l := range p.links {
		p.drop(l)
	}
	return n
}

// Freeze lets nothing through, either way, on connections old and new. Nothing is closed
// and nothing lost: neither side can tell it from a slow peer until [Proxy.Thaw].
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.thawed:
		p.thawed = make(chan struct{})
	default: // is frozen
	}
}

// Thaw lets what was held back go on.
func (p *Proxy) Thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.thawed:
	default:
		close(p.thawed)
	}
}

// Refuse lets new connections be refused until [Proxy.Accept]; those that there are stay.
func (p *Proxy) Refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close()
		p.listener = nil
	}
}

// Accept takes new connections again, at the same address.
func (p *Proxy) Accept() {
	p.t.Helper()
	p.mu.Lock()
	refusing := p.listener == nil
	p.mu.Unlock()
	if refusing {
		p.listen(p.addr)
	}
}

// Connections is how many go through the proxy now.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

func (p *Proxy) listen(addr string) {
	p.t.Helper()
	listener, err := net.Listen("tcp", addr)
	for try := 0; err != nil && try < 50; try++ { // an outgoing connection may have the port for a moment
		time.Sleep(100 * time.Millisecond)
		listener, err = net.Listen("tcp", addr)
	}
	if err != nil {
		p.t.Fatalf("amqptest: proxy: %v", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listener, p.addr = listener, listener.Addr().String()
	p.running.Go(func() { p.accept(listener) })
}

func (p *Proxy) accept(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		server, err := net.DialTimeout("tcp", p.target, 5*time.Second)
		if err != nil {
			reset(client.(*net.TCPConn))
			continue
		}
		p.join(&link{client.(*net.TCPConn), server.(*net.TCPConn), make(chan struct{})})
	}
}

func (p *Proxy) join(l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.links[l] = struct{}{}
	if p.closed {
		p.drop(l)
		return
	}
	p.running.Go(func() { p.pump(l, l.server, l.client) })
	p.running.Go(func() { p.pump(l, l.client, l.server) })
}

// pump copies from one side to the other until either ends, and then ends both.
func (p *Proxy) pump(l *link, to, from *net.TCPConn) {
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if _, ok := p.links[l]; ok {
			delete(p.links, l)
			close(l.cut)
			_ = l.client.Close()
			_ = l.server.Close()
		}
	}()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		select {
		case <-p.gate():
		case <-l.cut:
			return
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

// gate is closed when bytes may pass.
func (p *Proxy) gate() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.thawed
}

// drop ends a link by a reset, on both sides. The caller holds mu.
func (p *Proxy) drop(l *link) {
	delete(p.links, l)
	close(l.cut)
	reset(l.client)
	reset(l.server)
}

func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

func (p *Proxy) close() {
	p.Refuse()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Cut()
	p.running.Wait()
}
