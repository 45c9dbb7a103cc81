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
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Consumer consumes one queue, over all its sessions. Make it with New.
type Consumer struct {
	spec     Spec
	topology topology.Topology
	handler  Handler // the Spec's, with its middleware
	conn     *connection.Connection
	sender   *publisher.Sender // of copies; its confirm channel is its own, not the app's Publisher's
	monitor  monitoring.Monitor
	log      *slog.Logger
	app, id  string

	jobs    chan *received // from receive to idle workers
	workers atomic.Int64
	working sync.WaitGroup // workers; Stop waits for them
	copying sync.WaitGroup // copies on their way, and reports of them; Stop waits for them
	quit    chan struct{}  // ends idle workers
	wake    chan struct{}  // makes receive look again

	stopping  atomic.Bool
	paused    atomic.Bool
	ready     atomic.Bool
	slow      atomic.Bool
	repairing atomic.Bool
	stuck     atomic.Int64 // handlers past their timeout and grace
	blocked   atomic.Int64 // copies that could not be placed yet
	stale     atomic.Int64 // acks dropped because their session had ended
	losses    losses

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
	first   chan error    // the first subscription, or why there is none
	ran     chan struct{} // closed when run has ended
	stopped chan struct{} // closed when all has ended
}

// New checks the Spec and makes a Consumer. A nil monitor means monitoring.Log, and a nil
// logger slog.Default(). Without a connection the Consumer can only Process. The error
// names the field that is wrong.
func New(conn *connection.Connection, spec Spec, monitor monitoring.Monitor, log *slog.Logger) (*Consumer, error) {
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
		log: log.With("consumer", spec.Name), id: publisher.NewID(),
		jobs: make(chan *received), quit: make(chan struct{}), wake: make(chan struct{}, 1),
		first: make(chan error, 1), ran: make(chan struct{}), stopped: make(chan struct{}),
	}
	for i := len(spec.Use) - 1; i >= 0; i-- {
		if c.handler = spec.Use[i](c.handler); c.handler == nil {
			return nil, fmt.Errorf("consumer %q: Use[%d] made a nil Handler", spec.Name, i)
		}
	}
	if conn != nil {
		c.app = conn.Name()
		if c.sender, err = publisher.NewSender(conn, min(spec.Prefetch+spec.Concurrency, 1<<16), log); err != nil {
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

// run keeps a session alive until Stop.
func (c *Consumer) run() {
	defer close(c.ran)
	backoff := connection.Backoff{Min: 100 * time.Millisecond, Max: 2 * time.Second}
	told := false // OnFatal, of this trouble
	for !c.stopping.Load() {
		began := time.Now()
		link, err := c.connect()
		if err == nil {
			err = c.declare(c.connecting, link)
		}
		if err == nil {
			err = c.consume(link)
		}
		c.setReady(false)
		switch {
		case c.stopping.Load():
			return
		case errors.Is(err, errYield):
			continue
		}
		c.setErr(err)
		if time.Since(began) > 5*time.Second {
			backoff.Reset()
			told = false
		}
		if errors.Is(err, connection.ErrClosed) { // for good: there is nothing to wait for
			c.tell(err)
			return
		}
		pause := backoff.Next()
		if permanent(err) {
			c.tell(err)
			c.log.Error("consumer cannot go on until somebody changes something", "err", err)
			if f := c.spec.OnFatal; f != nil && !told {
				go f(err)
			}
			told = true
			if !connection.Permanent(err) { // the connection paces itself
				pause = slowRetry
			}
		} else {
			c.log.Warn("consumer interrupted", "err", err)
		}
		connection.Wait(c.connecting, pause)
	}
}

// connect waits for a session, but not in silence: what keeps it away is known to Health, to
// the log and, if it is a refusal, to OnFatal.
func (c *Consumer) connect() (*connection.Session, error) {
	ctx, cancel := context.WithTimeout(c.connecting, 10*time.Second)
	defer cancel()
	return c.conn.Consuming().Session(ctx)
}

// slowRetry is the pause after a refusal that waiting does not mend.
const slowRetry = 10 * time.Second

// permanent says whether somebody has to change something first.
func permanent(err error) bool {
	var mismatch *topology.MismatchError
	if connection.Permanent(err) || errors.As(err, &mismatch) ||
		errors.Is(err, topology.ErrMissing) || errors.Is(err, topology.ErrRefused) {
		return true
	}
	var refused *amqp.Error
	if errors.As(err, &refused) && refused.Server {
		switch refused.Code {
		case amqp.AccessRefused, amqp.NotFound, amqp.NotAllowed, amqp.NotImplemented:
			return true
		}
	}
	return false
}

// declare declares the queues, on a channel of its own: a refusal closes it.
func (c *Consumer) declare(ctx context.Context, link *connection.Session) error {
	if c.spec.Redeclare == RedeclareOff && c.everReady() {
		return nil
	}
	ch, err := link.Channel(ctx)
	if err != nil {
		return err
	}
	err = link.Do(ctx, "declare the queues", func() error { return c.topology.Declare(ch) })
	if errors.Is(err, topology.ErrUnchecked) {
		c.log.Info("queues not checked", "err", err)
		err = nil
	}
	if !ch.IsClosed() {
		_ = link.Do(context.Background(), "close a channel", ch.Close) // if that fails the session is over
	}
	return err
}

func (c *Consumer) everReady() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ever
}

// setReady tells whether a subscription stands.
func (c *Consumer) setReady(ready bool) {
	c.ready.Store(ready)
	if !ready {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ever = true
	c.tell(nil)
}

// setErr keeps why there is no subscription, for Health.
func (c *Consumer) setErr(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lastErr = err
}

// tell answers Start, if it is waiting.
func (c *Consumer) tell(err error) {
	select {
	case c.first <- err:
	default:
	}
}

// poke makes receive look again at what it should do.
func (c *Consumer) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Pause stops taking messages. Handlers that run go on; what no handler has started goes back
// to the queue for other consumers. It may be called before Start, and twice.
func (c *Consumer) Pause() {
	c.paused.Store(true)
	c.poke()
}

// Resume takes messages again.
func (c *Consumer) Resume() {
	c.paused.Store(false)
	c.poke()
}

// Stop takes no new messages, gives back what no handler has started, and lets running
// handlers finish. In the last quarter of ctx, at most 2 s, it cancels their contexts, and puts a
// copy of what they could not finish back into the queue. It returns when all is settled and every
// goroutine has ended, at the latest when ctx ends: then the broker delivers again what was not
// settled. It may be called twice, and before Start.
func (c *Consumer) Stop(ctx context.Context) error {
	c.mu.Lock()
	first := c.stopping.CompareAndSwap(false, true)
	started := c.started
	c.mu.Unlock()
	if first {
		c.stopConnecting()
		c.poke()
		go c.end(started)
	}
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline)
		timer := time.AfterFunc(left-min(2*time.Second, left/4), func() { c.cancelHandlers(ErrStopping) })
		defer timer.Stop()
	}
	select {
	case <-c.stopped:
		return nil
	case <-ctx.Done():
		c.cancelHandlers(ErrStopping)
		c.cancelHard()
		select { // what is not stuck ends now
		case <-c.stopped:
		case <-time.After(50 * time.Millisecond):
		}
		return fmt.Errorf("consumer %q: stop: %d handlers still run, the broker delivers their messages again: %w",
			c.spec.Name, c.workers.Load(), context.Cause(ctx))
	}
}

// end waits for each part in turn.
func (c *Consumer) end(started bool) {
	defer close(c.stopped)
	if started {
		<-c.ran
	}
	close(c.quit)
	c.working.Wait()
	c.copying.Wait()
	c.cancelHandlers(ErrStopping)
	c.cancelHard()
	if c.sender != nil {
		_ = c.sender.Stop(c.hard) // at once: every copy is confirmed, or its session is over
	}
}

// stuckHandler counts and logs a handler that does not return, and says whether its message is
// held until it does.
func (c *Consumer) stuckHandler(d *received, after time.Duration, stack string) (hold bool) {
	hold = c.spec.WhenStuck == Hold || c.slow.Load()
	c.stuck.Add(1)
	if d.session != nil {
		d.session.stuck.Add(1)
	}
	c.log.Error("handler is stuck", "message_id", d.MessageID, "attempt", d.Attempt, "after", after.Round(time.Millisecond), "held", hold, "stack", stack)
	c.poke()
	return hold
}

func (c *Consumer) unstuck(d *received, after time.Duration) {
	c.stuck.Add(-1)
	if d.session != nil {
		d.session.stuck.Add(-1)
	}
	c.log.Warn("stuck handler returned", "message_id", d.MessageID, "attempt", d.Attempt, "after", after.Round(time.Millisecond))
	c.poke()
}

// Process runs one delivery through decoding, the handler and the decision, exactly as
// in production, and returns what would be done. Nothing is sent, and no broker is needed.
func (c *Consumer) Process(ctx context.Context, raw amqp.Delivery) Settlement {
	d := c.decode(raw)
	now := time.Now()
	if s := c.early(d, now); s != nil {
		return *s
	}
	if s := c.crashed(d, now); s != nil {
		return *s
	}
	c.waitFor(d, now)
	ended := make(chan ending, 1)
	go func() { c.attempt(ctx, &worker{id: goroutineID()}, d, func(e ending) { ended <- e }) }()
	return c.settlement(d, <-ended, time.Now())
}
