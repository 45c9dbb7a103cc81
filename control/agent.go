package control

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// Agent has the consumers of one process obey the orders of a [Fleet]. It reads the stream of
// orders from its first record on, so a process that was restarted comes up paused. Make it with
// [NewAgent], or have [Module] do it.
//
// No app fails for its Agent. If the stream cannot be read, the consumers work, the log has a
// warning that says which permission is missing, and [Agent.Health] says so. The process keeps the
// orders that it knows, also if the stream is deleted.
type Agent struct {
	cfg    AgentConfig          // immutable
	conn   transport.Connection // immutable
	ledger *ledger              // immutable, and so are the parts
	reader *reader
	keeper *keeper
	scribe *scribe
	clerk  *clerk
	pub    *publisher.Client

	mu      sync.Mutex
	stop    context.CancelFunc // guarded by mu; nil before Start
	stopped bool               // guarded by mu
	tasks   sync.WaitGroup     // the goroutines of the parts; Stop waits for them
}

var _ consumer.Overseer = (*Agent)(nil)

// NewAgent makes an Agent. It does not connect. Have the Group of the consumers oversee it, start
// it before the Group and stop it after the Group:
//
//	agent, err := control.NewAgent(conn, control.AgentConfig{})
//	group.Oversee(agent)
//	err = agent.Start(ctx)
//	err = group.Start(ctx)
//
// It serves all consumers of the Group, also those on other connections. The error has a line for
// each field that is wrong.
func NewAgent(conn *connection.Connection, cfg AgentConfig) (*Agent, error) {
	if conn == nil {
		return nil, errors.New("control: the connection of an Agent is nil")
	}
	cfg, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	t := conn.Transport()
	j, err := openJournal(t, cfg.Stream, cfg.MaxAge, cfg.Logger)
	if err != nil {
		return nil, fmt.Errorf("control: %w", err)
	}
	pub, err := publisher.New(conn, publisher.Config{Window: maxAnswers, Timeout: patience}, cfg.Logger)
	if err != nil {
		return nil, err
	}
	host, _ := os.Hostname() // a Process without it is better than none
	process := Process{ID: uuid.NewString(), Host: foreign.Cut(host, maxName), PID: os.Getpid(), App: t.Name(), AppVersion: t.Version()}
	a := &Agent{cfg: cfg, conn: t, ledger: newLedger(), pub: pub}
	a.keeper = &keeper{ledger: a.ledger, patience: cfg.Patience, maxAge: cfg.MaxAge, log: cfg.Logger, changed: newSignal()}
	a.scribe = &scribe{ledger: a.ledger, journal: j, process: process.ID, maxAge: cfg.MaxAge, log: cfg.Logger, changed: newSignal()}
	a.clerk = &clerk{ledger: a.ledger, pub: pub, process: process, log: cfg.Logger, questions: make(chan question, maxAnswers)}
	a.reader = newReader(cfg, j, a.ledger, a.clerk)
	a.clerk.trouble = a.trouble
	a.ledger.changed = func() { a.keeper.changed.set(); a.scribe.changed.set() }
	return a, nil
}

// Start begins to read orders, and waits for nothing. The error is always nil, so that no app fails
// for its Agent. A second Start, and one after Stop, does nothing.
func (a *Agent) Start(context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stop != nil || a.stopped {
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	a.stop = stop
	a.clerk.process.Started = time.Now().UTC().Truncate(time.Millisecond)
	for _, run := range []func(context.Context){a.reader.run, a.keeper.run, a.scribe.run, a.clerk.run} {
		a.tasks.Go(func() { run(ctx) })
	}
	return nil
}

// Stop ends the Agent. Consumers keep the orders that they have. It may be called twice, and before
// Start.
func (a *Agent) Stop(ctx context.Context) error {
	a.mu.Lock()
	stop, stopped := a.stop, a.stopped
	a.stopped = true
	a.mu.Unlock()
	if stopped {
		return nil
	}
	if stop != nil {
		stop()
		a.tasks.Wait()
	}
	a.ledger.settle()
	return errors.Join(a.pub.Stop(ctx), a.reader.journal.Stop(ctx))
}

// Begins gives a consumer its order before the consumer starts. It waits until the orders are
// known, for AgentConfig.Patience at most. If the broker is away by then, or the connection is
// Lazy, the consumer starts paused, until the orders are known or the broker has been there for as
// long.
func (a *Agent) Begins(ctx context.Context, c *consumer.Consumer) {
	hold := true
	if !a.conn.Lazy() {
		timer := time.NewTimer(a.cfg.Patience)
		defer timer.Stop()
		select {
		case <-a.ledger.known:
		case <-ctx.Done():
		case <-timer.C:
			hold = !a.conn.Consuming().Health().Connected
		}
	}
	a.ledger.enter(c, c.Concurrency(), hold)
	if !hold {
		a.keeper.warn([]string{c.Name()})
	}
}

// Ends forgets a consumer that has stopped.
func (a *Agent) Ends(c *consumer.Consumer) { a.ledger.leave(c) }

// Health says what is wrong with the control of this process: that it may miss orders, or that an
// order which stands is about to be dropped from the stream. That is the warning. The error is
// always nil: consumers work without control. Health waits for nothing.
func (a *Agent) Health() (warning string, err error) { return a.trouble(), nil }

// trouble says why orders may be missed, or "".
func (a *Agent) trouble() string {
	if why := a.reader.trouble(); why != "" {
		return why
	}
	if name, age := a.ledger.oldest(time.Now()); age > a.cfg.MaxAge*9/10 {
		return fmt.Sprintf("the order for %s was given or written again %s ago, and is dropped after %s: a process that starts then does not know it; let a user write to the exchange %q, or run bunnicula control ls",
			foreign.Line(name, maxName), age.Round(time.Second), a.cfg.MaxAge, a.cfg.Stream)
	}
	return ""
}
