package brokertest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Broker is a broker for one test: in memory if Run or New has made it, and a real one if RunReal
// or Real has. Methods that wait, and those that fail the test, are for the test's own goroutine.
// All others may be called by any, handlers too.
type Broker struct {
	t    testing.TB
	site site
	look transport.Connection // with which the test itself looks

	mu        sync.Mutex
	processes []*Process
	own       *Process          // of Connection; nil until it is asked for
	pub       *publisher.Client // nil until it is asked for
}

// site is where the broker is.
type site interface {
	// connect makes a client of the broker.
	connect(name string) (transport.Connection, error)
	// kill ends it as the death of its process does.
	kill(transport.Connection)
	// cut cuts all its TCP connections, which come back.
	cut(all []transport.Connection)
	// queues are the names of all queues that are known, sorted.
	queues() []string
	// count is what a queue holds. It is false if there is none.
	count(queue string) (count, bool)
	// dead is the queue to which a queue dead-letters by the default exchange, or "".
	dead(queue string) string
	remove(queue string)
	// rest waits until nothing goes on that does not wait for time to pass.
	rest()
	// calm is how often the broker is looked at, and how long apart, until it is believed that
	// nothing goes on.
	calm() (times int, apart time.Duration)
	// memory is nil if the broker is a real one.
	memory() memory
	close()
}

// memory is what only a broker in memory can be told to do.
type memory interface {
	Restart(time.Duration)
	Alarm(time.Duration)
	Full(queue string, d time.Duration) bool
}

// count is what a queue holds. kept is what the broker keeps that it could not dead-letter yet.
type count struct{ ready, unacked, kept, consumers int }

// An app of fx waits for signals from its start on. The first who does so in a program starts a
// goroutine that never ends. If it were started in a bubble of testing/synctest, the bubble would
// wait for it.
func init() {
	first := make(chan os.Signal, 1)
	signal.Notify(first, os.Interrupt)
	signal.Stop(first)
}

// Run runs a test in a bubble of testing/synctest, with a broker in memory. Time passes in the
// bubble when everything in it waits, so that a minute costs no time. The bubble waits for all
// goroutines that were started in it: the test stops each app that it starts.
func Run(t *testing.T, test func(t *testing.T, b *Broker)) {
	t.Helper()
	s := watchStandstill(t.Name()) // from outside of the bubble, where time passes
	defer s.stop()
	synctest.Test(t, func(t *testing.T) { test(t, start(t, newSimulation(s))) })
}

// New makes a broker in memory for a test that runs in a bubble of testing/synctest already. It
// fails the test if there is no bubble.
func New(t testing.TB) *Broker {
	t.Helper()
	if !inBubble() {
		t.Fatal("brokertest: New is called outside of a bubble of testing/synctest, where its time would not pass: use brokertest.Run, or call it in synctest.Test")
	}
	return start(t, newSimulation(nil))
}

func inBubble() (is bool) {
	defer func() { is = recover() == nil }()
	synctest.Wait() // panics outside
	return true
}

func start(t testing.TB, at site) *Broker {
	t.Helper()
	look, err := at.connect("brokertest")
	if err != nil {
		t.Fatalf("brokertest: %v", err)
	}
	b := &Broker{t: t, site: at, look: look}
	t.Cleanup(b.end)
	return b
}

// InMemory says whether it is the broker in memory, for what a real one cannot be told to do.
func (b *Broker) InMemory() bool { return b.site.memory() != nil }

// Connection is one of the test's own, beside those of its apps. It is the same at each call, and
// is stopped at the test's end.
func (b *Broker) Connection() *connection.Connection {
	b.mu.Lock()
	if b.own == nil {
		b.own = b.newProcess("test")
	}
	own := b.own
	b.mu.Unlock()
	return own.Connection()
}

// Publisher publishes on the test's own Connection, as JSON. It is started, and is stopped at the
// test's end.
func (b *Broker) Publisher() publisher.Publisher {
	b.t.Helper()
	conn := b.Connection()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pub != nil {
		return b.pub
	}
	pub, err := publisher.New(conn, publisher.Config{}, slog.New(slog.DiscardHandler))
	if err == nil {
		ctx, cancel := patience()
		defer cancel()
		err = pub.Start(ctx)
	}
	if err != nil {
		b.t.Fatalf("brokertest: publisher: %v", err)
	}
	b.pub = pub
	return pub
}

// Process makes a client of the broker that can be killed. Its name is that of its connections. A
// process that takes the place of a killed one may have its name.
func (b *Broker) Process(name string) *Process {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.newProcess(name)
}

func (b *Broker) newProcess(name string) *Process {
	p := &Process{broker: b, name: name, killed: make(chan struct{})}
	b.processes = append(b.processes, p)
	return p
}

// end stops what is left.
func (b *Broker) end() {
	ctx, cancel := patience()
	defer cancel()
	b.mu.Lock()
	pub, all := b.pub, b.processes
	b.mu.Unlock()
	if pub != nil {
		if err := pub.Stop(ctx); err != nil {
			b.t.Errorf("brokertest: stop the publisher: %v", err)
		}
	}
	for _, p := range all {
		p.end(ctx)
	}
	b.site.close()
	_ = b.look.Stop(ctx) // it has published nothing
}

// patience is for one request of the test's own.
func patience() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), 30*time.Second)
}

// request runs a request of the test's own.
func (b *Broker) request(what string, f func(context.Context) error) {
	b.t.Helper()
	ctx, cancel := patience()
	defer cancel()
	if err := f(ctx); err != nil {
		b.t.Fatalf("brokertest: %s: %v", what, err)
	}
}

func unknown(queue string, known []string) string {
	if len(known) == 0 {
		return fmt.Sprintf("there is no queue %q, and no other: has the app started, with the Option of this Broker among its own?", queue)
	}
	return fmt.Sprintf("there is no queue %q; there are %q", queue, known)
}
