package brokertest

import (
	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/transport"
)

// Option makes an fx app a client of the broker, as a process of its own. It belongs to the options
// of the app itself, not into a module:
//
//	app := fxtest.New(t, app(), b.Option())
//
// It replaces the app's *connection.Connection and those of connection.Named. Their Configs are not
// used, and need not be valid where the test runs. All of them lead to this broker. An Option that
// no app has used fails the test at its end.
func (b *Broker) Option() fx.Option { return b.Process("app").Option() }

// Option is that of [Broker.Option], for an app that runs in this process.
func (p *Process) Option() fx.Option {
	p.mu.Lock()
	p.offered = true
	p.mu.Unlock()
	return fx.Options(
		fx.Decorate(func(lc fx.Lifecycle) *connection.Connection { return p.join(lc, p.name) }),
		fx.Supply(transport.Stand(func(name string) transport.Connection {
			p.mu.Lock()
			defer p.mu.Unlock()
			return p.connect(p.name + ": " + name)
		})),
	)
}

// join makes a connection that the app starts and stops as if it were its own.
func (p *Process) join(lc fx.Lifecycle, name string) *connection.Connection {
	p.mu.Lock()
	conn := connection.Over(p.connect(name))
	p.mu.Unlock()
	lc.Append(fx.StartHook(func() { p.count(1) }))
	lc.Append(fx.StopHook(func() { p.count(-1) }))
	lc.Append(fx.StopHook(conn.Stop))
	return conn
}
