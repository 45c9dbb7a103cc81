package console

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/control"
)

const (
	musterEvery = 5 * time.Second
	musterWait  = 2 * time.Second // for the processes' answers
	musterFor   = 10 * time.Second
	musterIdle  = time.Minute // until the Fleet's connection is closed
	orderFor    = 20 * time.Second
)

// fleet is the part of *control.Fleet that the console uses.
type fleet interface {
	Pause(context.Context, control.Command) (control.Receipt, error)
	Limit(context.Context, int, control.Command) (control.Receipt, error)
	Resume(context.Context, control.Command) (control.Receipt, error)
	Orders(context.Context) ([]control.Order, error)
	Processes(ctx context.Context, wait time.Duration, names ...string) ([]control.Process, error)
	Stop(context.Context) error
}

var _ fleet = (*control.Fleet)(nil)

// muster is what the processes of the fleet have told at one moment. It is immutable.
type muster struct {
	at        time.Time
	processes []control.Process
	orders    []control.Order
	err       error // why nobody could be asked
	ordersErr error // why the orders could not be read
}

// errNoStream says that there is no stream of orders.
var errNoStream = errors.New("there is no stream of orders")

// musters asks the fleet for all viewers, when one of them looks.
type musters struct {
	stream  string // immutable, as what follows
	open    func() (fleet, error)
	exists  func(ctx context.Context, stream string) (bool, error)
	context context.Context // of all that is asked
	end     context.CancelFunc

	asks sync.WaitGroup // its goroutines

	mu     sync.Mutex
	fleet  fleet         // nil without one that is open
	users  int           // of fleet
	idle   *time.Timer   // that closes it
	latest *muster       // nil before the first
	stale  bool          // an order was given since
	asking chan struct{} // closed when the ask that runs is over; nil without one
	closed bool
}

func newMusters(stream string, open func() (fleet, error), exists func(context.Context, string) (bool, error)) *musters {
	m := &musters{stream: stream, open: open, exists: exists}
	m.context, m.end = context.WithCancel(context.Background())
	return m
}

// mustersOf returns those of a Config. They do not connect.
func mustersOf(cfg Config, b *broker) (*musters, error) {
	checked, err := control.NewFleet(cfg.Connection, cfg.Fleet)
	if err != nil {
		return nil, err
	}
	if err := checked.Stop(context.Background()); err != nil { // it has not connected
		return nil, err
	}
	open := func() (fleet, error) { return control.NewFleet(cfg.Connection, cfg.Fleet) }
	return newMusters(cfg.Fleet.Stream, open, b.hasStream), nil
}

// hasStream says whether a stream exists. A user who may not look may yet read, so the answer is
// yes.
func (b *broker) hasStream(ctx context.Context, stream string) (bool, error) {
	if err := b.take(ctx); err != nil {
		return false, err
	}
	defer b.give()
	_, err := b.inspect.Count(ctx, stream)
	if refused := (*amqp.Error)(nil); errors.As(err, &refused) {
		return refused.Code != amqp.NotFound, nil
	}
	return err == nil, err
}

// look returns the latest muster, nil before the first, and asks for another one in the background
// if it is older than 5 s. asking is closed when that is over; nil if nobody is asked.
func (m *musters) look() (latest *muster, asking <-chan struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	fresh := m.latest != nil && !m.stale && time.Since(m.latest.at) < musterEvery
	if m.asking == nil && !fresh && !m.closed {
		m.asking, m.stale = make(chan struct{}), false
		m.asks.Go(m.ask)
	}
	return m.latest, m.asking
}

// shown returns what a page shows of the fleet: the latest muster, nil before the first; after an
// order one that was asked for since.
func (m *musters) shown(ctx context.Context) *muster {
	m.mu.Lock()
	stale := m.stale
	m.mu.Unlock()
	if stale {
		return m.get(ctx)
	}
	latest, _ := m.look()
	return latest
}

// get returns a muster that is 5 s old at most. It waits for the one that is being asked for.
func (m *musters) get(ctx context.Context) *muster {
	for {
		latest, asking := m.look()
		switch {
		case asking == nil && latest != nil:
			return latest
		case asking == nil:
			return &muster{at: time.Now(), err: errors.New("the console ends")}
		}
		select {
		case <-asking: // it may have begun before an order
		case <-ctx.Done():
			return &muster{at: time.Now(), err: context.Cause(ctx)}
		}
	}
}

// ask asks, and publishes the muster.
func (m *musters) ask() {
	ctx, cancel := context.WithTimeoutCause(m.context, musterFor, fmt.Errorf("no answer within %s", musterFor))
	defer cancel()
	next := m.inquire(ctx)
	next.at = time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.latest = next
	close(m.asking)
	m.asking = nil
}

func (m *musters) inquire(ctx context.Context) *muster {
	next := &muster{}
	there, err := m.exists(ctx, m.stream)
	if err == nil && !there {
		err = errNoStream
	}
	if err != nil {
		next.err = err
		return next
	}
	f, err := m.borrow()
	if err != nil {
		next.err = err
		return next
	}
	defer m.giveBack()
	next.orders, next.ordersErr = f.Orders(ctx)
	next.processes, next.err = f.Processes(ctx, musterWait)
	return next
}

// with calls f with the Fleet, for an order. Whoever looks later asks again.
func (m *musters) with(f func(fleet) error) error {
	fleet, err := m.borrow()
	if err != nil {
		return err
	}
	defer m.giveBack()
	err = f(fleet)
	m.mu.Lock()
	m.stale = true
	m.mu.Unlock()
	return err
}

// borrow returns the Fleet, and opens it if it is closed.
func (m *musters) borrow() (fleet, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, errors.New("the console ends")
	}
	if m.fleet == nil {
		f, err := m.open()
		if err != nil {
			return nil, err
		}
		m.fleet = f
	}
	if m.idle != nil {
		m.idle.Stop()
	}
	m.users++
	return m.fleet, nil
}

// giveBack ends a use of the Fleet. It is closed when nobody has used it for a minute.
func (m *musters) giveBack() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.users--; m.users == 0 && !m.closed {
		m.idle = time.AfterFunc(musterIdle, m.rest)
	}
}

// rest closes the Fleet if nobody uses it.
func (m *musters) rest() {
	m.mu.Lock()
	f := m.fleet
	if m.users > 0 || m.closed || f == nil {
		m.mu.Unlock()
		return
	}
	m.fleet = nil
	m.asks.Add(1)
	m.mu.Unlock()
	defer m.asks.Done()
	ctx, cancel := context.WithTimeout(m.context, musterFor)
	defer cancel()
	_ = f.Stop(ctx) // nothing is under way
}

// close ends what is asked, and closes the Fleet.
func (m *musters) close(ctx context.Context) {
	m.mu.Lock()
	m.closed = true
	if m.idle != nil {
		m.idle.Stop()
	}
	f := m.fleet
	m.fleet = nil
	m.mu.Unlock()
	m.end()
	m.asks.Wait()
	if f != nil {
		_ = f.Stop(ctx) // what was ordered is confirmed
	}
}

// trouble says why the fleet cannot be asked, and what to do, "" if it can.
func (m *muster) trouble(stream string) (text, do string) {
	if m == nil || m.err == nil {
		return "", ""
	}
	var refused *amqp.Error
	switch {
	case errors.Is(m.err, errNoStream):
		return "There is no stream " + stream + ", so no process obeys orders.",
			"Apps with control.Module declare it when they start. If they have another one: --control-stream, Config.Fleet."
	case errors.As(m.err, &refused) && refused.Code == amqp.AccessRefused:
		return "The broker refuses it: " + refused.Reason,
			"To ask, the console's user needs permission to write to the exchange " + stream + " and to read the stream of that name: docs/SECURITY.md."
	case errors.As(m.err, &refused) && refused.Code == amqp.NotFound:
		return "The broker says: " + refused.Reason, "Apps with control.Module declare stream and exchange when they start."
	}
	return strings.TrimPrefix(m.err.Error(), "control: "), "This page asks again."
}
