package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
	"github.com/bunnicula-go/bunnicula/consumer/internal/watchdog"
	"github.com/bunnicula-go/bunnicula/internal/applog"
	"github.com/bunnicula-go/bunnicula/internal/sending"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Consumer consumes one queue, over all its sessions. Make it with [New].
type Consumer struct {
	// Immutable after New.
	spec    Spec
	rules   decide.Rules
	handler Handler              // Spec.Handler with the middleware of Spec.Use
	conn    transport.Connection // nil if the consumer can only Process
	log     *slog.Logger

	// The parts, immutable after New too. The type of each says what the part owns and who writes
	// that.
	control    *control
	gauges     *gauges
	lookahead  *lookahead
	announcer  *announcer
	pool       *pool
	handlers   watchdog.Watchdog
	settler    *settler
	reporter   *reporter
	supervisor *supervisor
	stages     *stages
}

// New checks the Spec and makes a Consumer. It does not connect. A nil monitor means
// monitoring.Log, and a nil logger slog.Default(). A monitoring.Log without a logger, alone or
// inside of another monitor, writes to the consumer's. With a nil connection the Consumer can only
// Process. The error has a line for each field of the Spec that is wrong, with its value.
func New(conn *connection.Connection, spec Spec, monitor monitoring.Monitor, log *slog.Logger) (*Consumer, error) {
	open := spec.Prefetch == 0
	spec, top, err := spec.resolve()
	if err != nil {
		return nil, err
	}
	log = applog.First(log)
	if monitor == nil {
		monitor = monitoring.Log{}
	}
	c := &Consumer{
		spec: spec, rules: spec.rules(top), log: log.With("consumer", spec.Name),
		stages: newStages(applog.With(context.Background(), log)),
	}
	if c.handler, err = spec.wrapped(); err != nil {
		return nil, err
	}
	if err := c.assemble(conn, open, monitoring.Multi(monitor), log); err != nil {
		return nil, err
	}
	if slowest := spec.slowest(); slowest > brokerTimeout*4/5 {
		c.log.Warn("the last prefetched message may wait longer than the broker allows; lower Prefetch or Timeout, or raise the broker's consumer_timeout",
			"prefetch", spec.Prefetch, "concurrency", spec.Concurrency, "timeout", spec.Timeout, "may_wait", slowest, "broker_allows", brokerTimeout)
	}
	return c, nil
}

// assemble makes the parts of the consumer. open says that the Spec leaves the prefetch open.
func (c *Consumer) assemble(conn *connection.Connection, open bool, monitor monitoring.Monitor, log *slog.Logger) error {
	c.gauges = new(gauges)
	c.lookahead = newLookahead(&c.spec, open)
	c.control = newControl(wanted{concurrency: c.spec.Concurrency, ahead: c.lookahead.few, open: open, keeps: c.spec.SingleActive})
	c.pool = newPool(c.spec.Concurrency, c.control, c.gauges, c.handle)
	c.announcer = &announcer{spec: &c.spec, base: log, log: c.log, control: c.control, pool: c.pool}
	c.handlers.Limit = c.spec.Timeout + c.spec.Grace
	c.reporter = &reporter{
		monitor: monitor, rules: &c.rules, log: c.log, control: c.control, release: c.pool.release, stages: c.stages, calls: watchdog.Watchdog{Limit: monitorLimit},
	}
	c.supervisor = newSupervisor(c)
	most := c.lookahead.many + c.spec.Concurrency
	c.settler = &settler{
		rules: &c.rules, policies: &policies{topology: c.rules.Topology, log: c.log}, reporter: c.reporter, gauges: c.gauges, asides: newSignal(), log: c.log,
		declarer: &declarer{topology: c.rules.Topology, keep: c.spec.Redeclare == RedeclareOff, family: c.spec.family, log: c.log, turn: make(chan struct{}, 1)},
		late:     watchdog.Watchdog{Limit: lateCopy},
		copies:   make(chan struct{}, most),
	}
	if c.spec.family != nil {
		c.settler.turns = &inTurn{gate: c.pool.gate, changed: c.control.changed}
	}
	if conn == nil {
		return nil
	}
	c.conn = conn.Transport()
	c.rules.App, c.rules.Version = c.conn.Name(), c.conn.Version()
	pipeline, err := sending.New(c.conn, min(most, 1<<16), c.log)
	if err != nil {
		return fmt.Errorf("consumer %q: %w", c.spec.Name, err)
	}
	c.settler.conn, c.settler.sending = c.conn, pipeline
	c.supervisor.attachment = newAttachment(c.conn, c.spec.Queue, c.log)
	return nil
}

// Name is Spec.Name, or Spec.Queue if that is empty.
func (c *Consumer) Name() string { return c.spec.Name }

// Concurrency is Spec.Concurrency, or its default if that is 0.
func (c *Consumer) Concurrency() int { return c.spec.Concurrency }

// Topology returns the queues, exchanges and bindings that the consumer needs. It says which of
// them the consumer declares.
func (c *Consumer) Topology() topology.Topology { return c.rules.Topology }

// Start declares the queues and begins to consume. It returns when the first subscription stands,
// or at once if the consumer is paused and connected. If the broker is away Start waits until ctx
// ends. An error that waiting does not mend is returned at once: a wrong password, a queue with
// other arguments or that is a stream, a declaration that the broker does not take. After a failed
// start the Consumer is stopped. A second Start returns an error and changes nothing.
//
// On a Lazy connection (connection.Config) Start returns at once, whatever the broker says. Health
// and the log tell when the consumer subscribes, and what keeps it from that; OnFatal is called.
func (c *Consumer) Start(ctx context.Context) error {
	if c.conn == nil {
		return fmt.Errorf("consumer %q: there is no connection to start on", c.spec.Name)
	}
	if err := c.stages.start(); err != nil {
		return fmt.Errorf("consumer %q: %w", c.spec.Name, err)
	}
	lazy := c.conn.Lazy()
	c.supervisor.answered = lazy // then the log is told of the first refusal, too
	go c.supervisor.run()
	if lazy {
		return nil
	}

	var err error
	select {
	case err = <-c.supervisor.first:
	case <-c.supervisor.ran:
		select {
		case err = <-c.supervisor.first:
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
		_ = c.stop(stop) // no handler runs yet
		return &startError{[]string{c.spec.Name}, err}
	}
	return nil
}

// Process decodes one delivery, runs the handler and decides, exactly as in production. It returns
// what would be done about the delivery. Nothing is sent, and no broker is needed. The handler does
// not run for a delivery that is early, suspected of killing its process, crashed too often, or
// unreadable.
func (c *Consumer) Process(ctx context.Context, raw amqp.Delivery) Settlement {
	d := c.decode(&raw, nil)
	d.left.Store(true) // it has entered no gate
	now := time.Now()
	if s, decided := decide.Before(&c.rules, &d.facts, c.given(d, now)); decided {
		return settlementOf(s)
	}
	d.waitFor(now)
	ended := make(chan decide.Ending, 1)
	go func() {
		c.attempt(ctx, &worker{id: goroutineID()}, d, func(_ *attempt, e decide.Ending) { ended <- e })
	}()
	return settlementOf(c.after(d, <-ended, time.Now()))
}
