package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/backoff"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Consumer consumes one queue, over all its sessions. Make it with New.
type Consumer struct {
	spec       Spec
	topology   topology.Topology
	handler    Handler              // the Spec's, with its middleware
	quarantine string               // the routing key that leads there, "" if the consumer is not guarded
	conn       transport.Connection // nil if it can only Process
	sender     *sending.Pipeline    // of copies; its confirm channel is its own, not the app's Publisher's
	monitor    monitoring.Monitor
	log        *slog.Logger
	app, id    string
	version    string // the app's

	jobs    chan *received // from receive to idle workers
	workers atomic.Int64
	working sync.WaitGroup // workers; Stop waits for them
	copying sync.WaitGroup // copies on their way, and reports of them; Stop waits for them
	copies  chan struct{}  // one token for each of those: a monitor that blocks must not pile them up
	quit    chan struct{}  // ends idle workers
	wake    chan struct{}  // makes receive look again

	stopping  atomic.Bool
	paused    atomic.Bool
	ready     atomic.Bool
	slow      atomic.Bool
	repairing atomic.Bool
	prefetch  atomic.Int64 // of the last subscription
	running   atomic.Int64 // handlers, of this session and of earlier ones
	stuck     atomic.Int64 // those of them past their timeout and grace
	mute      atomic.Int64 // calls of the monitor that do not return
	calm      atomic.Bool  // the crash guard waits until nothing runs
	blocked   atomic.Int64 // copies that could not be placed yet
	stale     atomic.Int64 // acks dropped because their session had ended
	losses    atomic.Int64 // see guard.go
	apart     atomic.Bool  // link is one of our own

	pace                             pace
	handlerPatience, monitorPatience patience

	monitorCalls sync.Pool // see report.go
	trouble      trouble   // run's

	// A Stop ends these in this order: waiting for a session, the handlers, and what is left.
	connecting     context.Context
	stopConnecting context.CancelFunc
	handlers       context.Context
	cancelHandlers context.CancelCauseFunc
	hard           context.Context
	cancelHard     context.CancelFunc

	mu      sync.Mutex
	started bool
	ever    bool // there was a subscription
	lastErr error
	link    transport.Link // that sessions come from; see apart.go
	first   chan error     // the first subscription, or why there is none
	ran     chan struct{}  // closed when run has ended
	stopped chan struct{}  // closed when all has ended
}

// New checks the Spec and makes a Consumer. A nil monitor means monitoring.Log, and a nil
// logger slog.Default(). Without a connection the Consumer can only Process. The error
// names the field that is wrong.
func New(conn *connection.Connection, spec Spec, monitor monitoring.Monitor, log *slog.Logger) (*Consumer, error) {
	if conn == nil {
		return newOver(nil, spec, monitor, log)
	}
	return newOver(conn.Transport(), spec, monitor, log)
}

// newOver is New for any broker.
func newOver(conn transport.Connection, spec Spec, monitor monitoring.Monitor, log *slog.Logger) (*Consumer, error) {
	open := spec.Prefetch == 0
	spec, top, err := spec.resolve()
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.Default()
	}
	if monitor == nil {
		monitor = monitoring.Log{Logger: log}
	}
	c := &Consumer{
		spec: spec, topology: top, handler: spec.Handler, conn: conn, monitor: monitoring.Shield(log, monitor),
		log: log.With("consumer", spec.Name), id: sending.NewID(),
		jobs: make(chan *received), quit: make(chan struct{}), wake: make(chan struct{}, 1),
		handlerPatience: patience{limit: spec.Timeout + spec.Grace}, monitorPatience: patience{limit: monitorPatience},
		trouble: trouble{backoff: backoff.Backoff{Min: 100 * time.Millisecond, Max: 2 * time.Second}},
		first:   make(chan error, 1), ran: make(chan struct{}), stopped: make(chan struct{}),
	}
	c.pace.set(&c.spec, open)
	c.copies = make(chan struct{}, c.pace.many+spec.Concurrency)
	if spec.guarded() {
		c.quarantine = top.Quarantine().RoutingKey
	}
	for i := len(spec.Use) - 1; i >= 0; i-- {
		if c.handler = spec.Use[i](c.handler); c.handler == nil {
			return nil, fmt.Errorf("consumer %q: Use[%d] made a nil Handler", spec.Name, i)
		}
	}
	if conn != nil {
		c.app, c.version = conn.Name(), conn.Version()
		c.link = conn.Consuming()
		if c.sender, err = sending.New(conn, min(c.pace.many+spec.Concurrency, 1<<16), log); err != nil {
			return nil, fmt.Errorf("consumer %q: %w", spec.Name, err)
		}
	}
	c.connecting, c.stopConnecting = context.WithCancel(context.Background())
	c.handlers, c.cancelHandlers = context.WithCancelCause(context.Background())
	c.hard, c.cancelHard = context.WithCancel(context.Background())
	if slowest := spec.slowest(); slowest > brokerTimeout*4/5 {
		c.log.Warn("the last prefetched message may wait longer than the broker allows; lower Prefetch or Timeout, or raise the broker's consumer_timeout",
			"prefetch", spec.Prefetch, "concurrency", spec.Concurrency, "timeout", spec.Timeout, "may_wait", slowest, "broker_allows", brokerTimeout)
	}
	return c, nil
}

// Name is the Spec's.
func (c *Consumer) Name() string { return c.spec.Name }

// Topology is what the consumer declares.
func (c *Consumer) Topology() topology.Topology { return c.topology }

// Start declares the queues and begins to consume. It returns when the first
// subscription stands. If the broker is not there yet it waits until ctx ends; what waiting
// does not mend, such as a wrong password or a queue with other arguments, is returned at
// once. After an error the Consumer is stopped.
func (c *Consumer) Start(ctx context.Context) error {
	c.mu.Lock()
	switch {
	case c.conn == nil:
		c.mu.Unlock()
		return fmt.Errorf("consumer %q: there is no connection to start on", c.spec.Name)
	case c.stopping.Load():
		c.mu.Unlock()
		return fmt.Errorf("consumer %q: it was stopped, make a new one", c.spec.Name)
	case c.started:
		c.mu.Unlock()
		return fmt.Errorf("consumer %q: it was started before", c.spec.Name)
	}
	c.started = true
	c.mu.Unlock()
	go c.run()

	var err error
	select {
	case err = <-c.first:
	case <-c.ran:
		select {
		case err = <-c.first:
		default:
			err = errors.New("it was stopped meanwhile")
		}
	case <-ctx.Done():
		err = context.Cause(ctx)
		if why := c.Health().Err; why != nil {
			err = fmt.Errorf("%w: %w", err, why)
		}
	}
	if err != nil {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = c.Stop(stop) // nothing runs yet
		return fmt.Errorf("consumer %q: start: %w", c.spec.Name, err)
	}
	return nil
}

// Process runs one delivery through decoding, the handler and the decision, exactly as
// in production, and returns what would be done. Nothing is sent, and no broker is needed.
func (c *Consumer) Process(ctx context.Context, raw amqp.Delivery) Settlement {
	d := c.decode(raw)
	now := time.Now()
	if s := c.notNow(d, now); s != nil {
		return *s
	}
	if s := c.crashed(d, now); s != nil {
		return *s
	}
	ended := make(chan ending, 1)
	go func() { c.attempt(ctx, &worker{id: goroutineID()}, d, func(_ *attempt, e ending) { ended <- e }) }()
	return c.settlement(d, <-ended, time.Now())
}
