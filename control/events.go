package control

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/applog"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// farewell is how long Stop goes on publishing at most. The consumers leave some two seconds of an
// app's stop to the publisher, the connections and this.
const farewell = time.Second

var (
	errFull    = errors.New("control: as many events wait as EventsConfig.Buffer allows")
	errStopped = errors.New("control: stopped before they were published")
)

// EventMonitor is the Monitor that [Events] makes. It never waits for the broker: events wait in a
// buffer for one goroutine, which publishes them in batches. What the buffer has no room for, what
// the broker does not confirm within 5 s, and what is left at Stop is dropped and counted. A
// message that is acked at its first attempt costs nothing.
//
// Nothing is published about a message that is an event itself: a consumer of events that fails
// would make more and more of them. That is each message that was first published to the exchange
// of events, and each that looks like one of EventMonitor's, wherever it came from: a dead-letter
// exchange, a shovel, or another EventsConfig.Exchange.
type EventMonitor struct {
	cfg    EventsConfig // immutable
	origin origin       // immutable

	buffer chan *Event
	losses losses
	outlet outlet

	stopping chan struct{} // closed by the first Stop
	hard     context.Context
	abort    context.CancelFunc // called by Stop when its time is over
	done     chan struct{}      // closed when the goroutine has ended; Stop waits for it
	ended    atomic.Bool        // set by Stop: nobody takes from the buffer any more

	mu      sync.Mutex
	started bool // guarded by mu
	stopped bool // guarded by mu
}

var _ monitoring.Monitor = (*EventMonitor)(nil)

// Events makes a Monitor that publishes events with pub. Call Start before the first consumer
// starts, and Stop after the last one has stopped, before pub and the connection are stopped.
// EventsModule does all that in an fx app.
//
// Give it a Publisher of its own, as the module does. A batch takes up to 64 places of its window,
// which the app's own messages need when the broker is slow; and should the exchange vanish, the
// broker closes a channel of pub, so that what is in flight on it is sent again. pub must return
// when its context ends. Of its methods PublishBatch is used.
//
// The error has a line for each field that is wrong.
func Events(pub publisher.Publisher, cfg EventsConfig) (*EventMonitor, error) {
	if pub == nil {
		return nil, errors.New("control: the publisher of Events is nil")
	}
	cfg, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	m := &EventMonitor{
		cfg: cfg, buffer: make(chan *Event, cfg.Buffer),
		losses:   losses{log: applog.First(cfg.Logger)},
		stopping: make(chan struct{}), done: make(chan struct{}),
	}
	m.hard, m.abort = context.WithCancel(context.Background())
	host, _ := os.Hostname() // an event without it is better than none
	m.origin.host = foreign.Cut(host, maxName)
	if cfg.Connection != nil {
		m.origin.app, m.origin.version = cfg.Connection.Transport().Name(), cfg.Connection.Transport().Version()
	}
	m.outlet = outlet{
		pub: pub, exchange: cfg.Exchange, app: m.origin.app, losses: &m.losses,
		log: m.losses.log, again: lookAgain, wake: time.NewTimer(0),
	}
	if cfg.Connection != nil {
		// A broker with an alarm answers nothing on a connection that has published.
		m.outlet.link = cfg.Connection.Transport().Consuming()
	}
	return m, nil
}

// Begin returns ctx as it is.
func (m *EventMonitor) Begin(ctx context.Context, _ monitoring.Delivery) context.Context { return ctx }

// End publishes the events of an outcome, later.
func (m *EventMonitor) End(_ context.Context, d monitoring.Delivery, o monitoring.Outcome) {
	if d.Exchange == m.cfg.Exchange {
		return
	}
	for _, what := range m.cfg.What {
		if !what.fits(&d, &o) {
			continue
		}
		if isEvent(&d) {
			return
		}
		m.offer(m.origin.event(what, time.Now(), &d, &o))
	}
}

// offer puts an event into the buffer, or drops it.
func (m *EventMonitor) offer(e *Event) {
	select {
	case m.buffer <- e:
		if m.ended.Load() { // a handler has outlived the stop
			m.discard()
		}
	default:
		m.losses.add(1, errFull)
	}
}

// Start begins to publish. It declares the exchange in the background, and waits for nothing: no
// app fails to start for its events. If the exchange is missing and may not be declared, that is
// logged once, and looked at again each minute. A second Start does nothing.
func (m *EventMonitor) Start() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.started && !m.stopped {
		m.started = true
		go m.run()
	}
}

// Stop publishes what waits, until ctx ends and for a second at most, and drops the rest. It does
// not stop the Publisher. It may be called twice, and before Start.
func (m *EventMonitor) Stop(ctx context.Context) {
	m.mu.Lock()
	started, stopped := m.started, m.stopped
	m.stopped = true
	m.mu.Unlock()
	if !stopped {
		close(m.stopping)
	}
	if started {
		ctx, cancel := context.WithTimeout(ctx, farewell)
		defer cancel()
		stop := context.AfterFunc(ctx, m.abort)
		defer stop()
		<-m.done
	}
	m.abort()
	m.ended.Store(true)
	m.discard()
	m.losses.tell()
}

// run is the goroutine that publishes.
func (m *EventMonitor) run() {
	defer close(m.done)
	defer m.outlet.wake.Stop()
	for {
		select {
		case e := <-m.buffer:
			m.outlet.send(m.hard, m.gather(e))
		case <-m.outlet.wake.C:
			m.outlet.look(m.hard)
		case <-m.stopping:
			m.flush()
			return
		}
	}
}

// flush publishes what is in the buffer, until there is no more time.
func (m *EventMonitor) flush() {
	for m.hard.Err() == nil {
		select {
		case e := <-m.buffer:
			m.outlet.send(m.hard, m.gather(e))
		default:
			return
		}
	}
}

// gather returns the event with those that wait behind it, as many as make a batch.
func (m *EventMonitor) gather(first *Event) []*Event {
	batch := append(make([]*Event, 0, maxBatch), first)
	for len(batch) < maxBatch {
		select {
		case e := <-m.buffer:
			batch = append(batch, e)
		default:
			return batch
		}
	}
	return batch
}

// discard drops what is in the buffer.
func (m *EventMonitor) discard() {
	for {
		select {
		case <-m.buffer:
			m.losses.add(1, errStopped)
		default:
			return
		}
	}
}
