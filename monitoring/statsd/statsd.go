package statsd

import (
	"context"
	"fmt"
	"net"
	"time"

	client "github.com/cactus/go-statsd-client/v5/statsd"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

// packetSize is how many bytes fit into one Ethernet frame with the headers of IPv6 and UDP.
const packetSize = 1432

// Monitor sends metrics to StatsD. Make one with [New]. Metrics are gathered, and sent in the
// background over UDP. When the server is down the metrics are lost, and nothing reports that.
type Monitor struct {
	client client.Statter
	rate   float32
	names  catalogue
	events monitoring.Callbacks // decides which of Bunnicula's counters is incremented
}

var _ monitoring.Monitor = (*Monitor)(nil)

// New checks cfg and opens a socket. It sends nothing, so it does not notice a server that is down.
// Close the Monitor when the last consumer has stopped.
func New(cfg Config) (*Monitor, error) {
	cfg, to, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s, err := newSender(to, net.DefaultResolver.LookupNetIP)
	if err != nil {
		return nil, fmt.Errorf("statsd: open socket: %w", err)
	}
	m, err := newMonitor(cfg, s)
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	return m, nil
}

// newMonitor takes a checked cfg, and a sender that Close closes.
func newMonitor(cfg Config, s client.Sender) (*Monitor, error) {
	buffered, err := client.NewBufferedSenderWithSender(s, cfg.FlushInterval, packetSize)
	if err != nil {
		return nil, fmt.Errorf("statsd: buffer: %w", err)
	}
	c, err := client.NewClientWithSender(buffered, cfg.Prefix, 0)
	if err != nil {
		return nil, fmt.Errorf("statsd: client: %w", err)
	}
	m := &Monitor{client: c, rate: float32(cfg.SampleRate)}
	m.events = monitoring.Callbacks{
		OnSuccess:   m.timed(func(n *names) string { return n.success }),
		OnRetry:     m.timed(func(n *names) string { return n.retry }),
		OnError:     m.timed(func(n *names) string { return n.err }),
		OnTimeout:   m.timed(func(n *names) string { return n.timeout }),
		OnException: m.untimed(func(n *names) string { return n.fail }),
		OnSnooze:    m.timed(func(n *names) string { return n.snooze }),
	}
	return m, nil
}

// Begin returns ctx as it is.
func (m *Monitor) Begin(ctx context.Context, _ monitoring.Delivery) context.Context { return ctx }

// End adds the delivery's metrics to the next packet. After Close it drops them.
func (m *Monitor) End(ctx context.Context, d monitoring.Delivery, o monitoring.Outcome) {
	m.events.End(ctx, d, o)
	n := m.names.of(d)
	switch o.Action {
	case monitoring.Parked:
		m.count(n.parked)
	case monitoring.Interrupted:
		m.timing(n.timing, o.Duration)
		m.count(n.interrupted)
	}
}

// Close sends the gathered metrics and closes the socket. It may be called more than once.
func (m *Monitor) Close() error {
	if err := m.client.Close(); err != nil {
		return fmt.Errorf("statsd: close: %w", err)
	}
	return nil
}

// event is a function of [monitoring.Callbacks].
type event = func(context.Context, monitoring.Delivery, monitoring.Outcome)

// timed returns a function that sends the handler's time and counts.
func (m *Monitor) timed(counter func(*names) string) event {
	return func(_ context.Context, d monitoring.Delivery, o monitoring.Outcome) {
		n := m.names.of(d)
		m.timing(n.timing, o.Duration)
		m.count(counter(n))
	}
}

// untimed returns a function that counts. Clojure's Bunnicula sends no time of a handler that threw
// an exception, so that the mean is that of handlers which came to an end.
func (m *Monitor) untimed(counter func(*names) string) event {
	return func(_ context.Context, d monitoring.Delivery, _ monitoring.Outcome) {
		m.count(counter(m.names.of(d)))
	}
}

// An error of the client means that it is closed, or that a name server or the network is down.
// Metrics are then dropped without a report, which would come for each delivery.

func (m *Monitor) count(name string) { _ = m.client.Inc(name, 1, m.rate) }

// timing sends nothing for a handler that did not run.
func (m *Monitor) timing(name string, took time.Duration) {
	if took > 0 {
		_ = m.client.TimingDuration(name, took, m.rate)
	}
}
