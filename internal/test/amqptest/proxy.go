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
// do: it cuts them, slows them down, lets them stall or vanish without a word, and is not
// there at all.
type Proxy struct {
	t      testing.TB
	target string // host:port
	url    string // as NewProxy got it, with the proxy's address

	mu       sync.Mutex
	changed  *sync.Cond   // something below, or in a link, has changed
	listener net.Listener // nil while refusing
	addr     string       // stays the same
	links    map[*link]struct{}
	frozen   bool
	closed   bool
	speed    speed // see pace.go

	moving sync.WaitGroup // accept loops and pipes; the test's cleanup waits for them
}

// Direction is a way through the proxy.
type Direction int

// What goes to the broker, what comes from it, and both.
const (
	ToBroker Direction = 1 << iota
	ToClient
	Both = ToBroker | ToClient
)

// NewProxy starts a proxy on a loopback port in front of target, an AMQP URL or host:port.
// It ends, and what goes through it is cut, at the test's cleanup.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	p := &Proxy{t: t, target: target, links: map[*link]struct{}{}}
	p.changed = sync.NewCond(&p.mu)
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

// Connections is how many go through the proxy now.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// Cut resets the connections that there are, and returns how many; new ones go through.
func (p *Proxy) Cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.links)
	for l := range p.links {
		l.reset()
	}
	return n
}

// Freeze lets nothing through, either way, on connections old and new. Nothing is closed
// and nothing lost: neither side can tell it from a slow peer until [Proxy.Thaw].
func (p *Proxy) Freeze() { p.setFrozen(true) }

// Thaw lets what was held back go on.
func (p *Proxy) Thaw() { p.setFrozen(false) }

func (p *Proxy) setFrozen(frozen bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = frozen
	p.changed.Broadcast()
}

// Blackhole makes the connections that there are half-open: what is sent that way, the
// end of the connection included, goes nowhere and nobody is told, until [Proxy.Cut]. New
// connections go through.
func (p *Proxy) Blackhole(d Direction) {
	p.eachPipe(d, (*pipe).lose)
}

// HalfClose ends one direction of the connections that there are in order (FIN), behind what is
// on its way; what is sent that way later is lost. The other direction stays open.
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
