package amqptest

import (
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// Proxy forwards the connections between a client and a broker, and does to them what networks do:
// it cuts, slows, stalls or drops them, and refuses new ones.
type Proxy struct {
	t      testing.TB
	target string // host:port
	url    string // the argument of NewProxy with the proxy's address

	mu       sync.Mutex
	changed  *sync.Cond   // a field below, or of a link, has changed
	listener net.Listener // nil while refusing
	addr     string       // constant
	links    map[*link]struct{}
	frozen   bool
	closed   bool
	speed    speed // see pace.go

	// The goroutines that accept, and pipes; the test's cleanup waits for them.
	moving sync.WaitGroup
}

// Direction is a direction through the proxy.
type Direction int

// To the broker, from the broker, and both.
const (
	ToBroker Direction = 1 << iota
	ToClient
	Both = ToBroker | ToClient
)

// NewProxy starts a proxy on a loopback port in front of target, an AMQP URL or host:port. The
// proxy ends, and cuts its connections, at the test's cleanup.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	p := &Proxy{t: t, target: target, links: map[*link]struct{}{}}
	p.changed = sync.NewCond(&p.mu)
	if strings.Contains(target, "://") {
		u, err := url.Parse(target)
		if err != nil {
			// The error would show the password of the target.
			t.Fatal("amqptest: proxy: the target is not a URL")
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

// URL is the target with the proxy's address, for clients that go through the proxy.
func (p *Proxy) URL() string { return p.url }

// Addr is the proxy's host:port.
func (p *Proxy) Addr() string { return p.addr }

// Connections returns how many connections go through the proxy now.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// Cut resets the existing connections, and returns how many there were. New ones go through.
func (p *Proxy) Cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.links)
	for l := range p.links {
		l.reset()
	}
	return n
}

// Freeze stops all bytes, each way, on existing and new connections. Nothing is closed and nothing
// is lost: neither side can distinguish that from a slow peer, until [Proxy.Thaw].
func (p *Proxy) Freeze() { p.setFrozen(true) }

// Thaw ends a [Proxy.Freeze].
func (p *Proxy) Thaw() { p.setFrozen(false) }

func (p *Proxy) setFrozen(frozen bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = frozen
	p.changed.Broadcast()
}

// Blackhole makes the existing connections half-open: bytes in that direction, and the end of the
// connection, are lost without an error, until [Proxy.Cut]. New connections go through.
func (p *Proxy) Blackhole(d Direction) {
	p.eachPipe(d, (*pipe).lose)
}

// HalfClose ends one direction of the existing connections cleanly (FIN), after the bytes that are
// already on their way. Later bytes are lost. The other direction stays open.
func (p *Proxy) HalfClose(d Direction) {
	p.eachPipe(d, func(pipe *pipe) { pipe.finished = true })
}

func (p *Proxy) eachPipe(d Direction, change func(*pipe)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		if d&ToBroker != 0 {
			change(l.toBroker)
		}
		if d&ToClient != 0 {
			change(l.toClient)
		}
	}
	p.changed.Broadcast()
}

// Refuse makes the proxy refuse new connections until [Proxy.Accept]. Existing ones stay.
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

func (p *Proxy) listen(addr string) {
	p.t.Helper()
	listener, err := net.Listen("tcp", addr)
	// An outgoing connection may use the port for a moment.
	for try := 0; err != nil && try < 50; try++ {
		time.Sleep(100 * time.Millisecond)
		listener, err = net.Listen("tcp", addr)
	}
	if err != nil {
		p.t.Fatalf("amqptest: proxy: %v", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listener, p.addr = listener, listener.Addr().String()
	p.moving.Go(func() { p.accept(listener) })
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
		p.join(client.(*net.TCPConn), server.(*net.TCPConn))
	}
}

func (p *Proxy) join(client, server *net.TCPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := newLink(p, client, server)
	p.links[l] = struct{}{}
	if p.closed {
		l.reset()
	}
	l.start()
}

func (p *Proxy) close() {
	p.Refuse()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Cut()
	p.moving.Wait()
}
