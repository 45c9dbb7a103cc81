package brokertest

import (
	"context"
	"sync"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// Process is a client of the broker, as the broker sees a program that runs: it may have several
// connections, and all of them end when it is killed.
type Process struct {
	broker *Broker
	name   string
	killed chan struct{} // closed by Kill

	mu      sync.Mutex
	conn    *connection.Connection // of Connection; nil until it is asked for
	all     []transport.Connection
	running int  // apps that were started and not stopped
	offered bool // Option was called
}

// Connection is the process's own, for a test that composes its consumers and publishers without
// fx. It is the same at each call, and is stopped at the test's end.
func (p *Process) Connection() *connection.Connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == nil {
		p.conn = connection.Over(p.connect(p.name))
	}
	return p.conn
}

// connect is called with the lock held.
func (p *Process) connect(name string) transport.Connection {
	conn, err := p.broker.site.connect(name)
	if err != nil {
		panic("brokertest: " + err.Error()) // the URL was checked at the beginning
	}
	p.all = append(p.all, conn)
	select {
	case <-p.killed:
		p.broker.site.kill(conn)
	default:
	}
	return conn
}

// Kill ends the process as kill -9 does, in the middle of whatever its handlers do: its messages
// that are not acked go back to their queues, and nothing that it does from then on reaches the
// broker. A handler may call it, and so kill its own process. Kill may be called twice.
//
// The process's goroutines are the test's, which Kill cannot end. Handlers that run go on, and what
// they do elsewhere than at the broker has its effect: see Killed. Its app is stopped like any
// other; one that was starting returns an error from Start.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.killed:
		return
	default:
	}
	close(p.killed)
	for _, conn := range p.all {
		p.broker.site.kill(conn)
	}
}

// Killed is closed by Kill, for a handler that should not go on after it.
func (p *Process) Killed() <-chan struct{} { return p.killed }

// connections are those of a process that lives.
func (p *Process) connections() []transport.Connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.killed:
		return nil
	default:
		return p.all[:len(p.all):len(p.all)]
	}
}

// count is called at each start and stop of an app.
func (p *Process) count(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running += n
}

// end stops the connections.
func (p *Process) end(ctx context.Context) {
	p.mu.Lock()
	all, running, offered := p.all, p.running, p.offered
	p.mu.Unlock()
	if offered && len(all) == 0 && !p.broker.t.Failed() {
		p.broker.t.Errorf("brokertest: no app has used the Option of the process %q, so it may have used another broker: give it to fx.New or fxtest.New itself, not to a module", p.name)
	}
	if running > 0 {
		p.broker.t.Errorf("brokertest: the app of the process %q still runs at the test's end: stop it, as fxtest.App.RequireStop does", p.name)
	}
	for _, conn := range all {
		_ = conn.Stop(ctx) // of a killed one there is nothing to say
	}
}
