package prometheus

import (
	"maps"
	"sync"

	prom "github.com/prometheus/client_golang/prometheus"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
)

// Connection is a *connection.Connection.
type Connection interface{ Health() connection.Health }

// Consumers is a *consumer.Group.
type Consumers interface{ Health() []consumer.Health }

// WatchConnection adds the metrics of a connection, under this name.
func (m *Monitor) WatchConnection(name string, c Connection) {
	m.watched.mu.Lock()
	defer m.watched.mu.Unlock()
	m.watched.connections[name] = c
}

// WatchConsumers adds the metrics of these consumers.
func (m *Monitor) WatchConsumers(c Consumers) {
	m.watched.mu.Lock()
	defer m.watched.mu.Unlock()
	m.watched.consumers = append(m.watched.consumers, c)
}

// watched asks for the state of things at each scrape.
type watched struct {
	mu          sync.Mutex
	connections map[string]Connection
	consumers   []Consumers
}

func newWatched() *watched { return &watched{connections: map[string]Connection{}} }

// figure is one metric of something's health.
type figure[H any] struct {
	desc *prom.Desc
	kind prom.ValueType
	of   func(H) float64
}

func newFigure[H any](name, help string, kind prom.ValueType, labels []string, of func(H) float64) figure[H] {
	return figure[H]{prom.NewDesc(name, help, labels, nil), kind, of}
}

func (f figure[H]) send(ch chan<- prom.Metric, h H, labels ...string) {
	ch <- prom.MustNewConstMetric(f.desc, f.kind, f.of(h), labels...)
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

func ofConsumer(name, help string, kind prom.ValueType, of func(consumer.Health) float64) figure[consumer.Health] {
	return newFigure("bunnicula_consumer_"+name, help, kind, []string{"consumer"}, of)
}

var consumerFigures = []figure[consumer.Health]{
	ofConsumer("up", "1 if the consumer is subscribed, or paused, and not wedged.", prom.GaugeValue, func(h consumer.Health) float64 { return flag(h.Ready) }),
	ofConsumer("handlers", "Handlers that run.", prom.GaugeValue, func(h consumer.Health) float64 { return float64(h.Running) }),
	ofConsumer("handlers_stuck", "Handlers past their timeout and grace.", prom.GaugeValue, func(h consumer.Health) float64 { return float64(h.Stuck) }),
	ofConsumer("monitors_blocked", "Calls of a monitor that do not return.", prom.GaugeValue, func(h consumer.Health) float64 { return float64(h.MonitorsBlocked) }),
	ofConsumer("copies_blocked", "Copies to a retry or error queue that the broker has not confirmed.", prom.GaugeValue, func(h consumer.Health) float64 { return float64(h.CopiesBlocked) }),
	ofConsumer("slow", "1 while a message that came back without an end is handled alone.", prom.GaugeValue, func(h consumer.Health) float64 { return flag(h.Slow) }),
	ofConsumer("stale_acks_total", "Acks dropped because their session had ended; the broker delivers those messages again.", prom.CounterValue, func(h consumer.Health) float64 { return float64(h.StaleAcks) }),
}

func ofLink(name, help string, kind prom.ValueType, of func(connection.LinkHealth) float64) figure[connection.LinkHealth] {
	return newFigure("bunnicula_connection_"+name, help, kind, []string{"connection", "purpose"}, of)
}

var linkFigures = []figure[connection.LinkHealth]{
	ofLink("up", "1 if the connection is up, 0 if it should be.", prom.GaugeValue, func(h connection.LinkHealth) float64 { return flag(h.Connected) }),
	ofLink("blocked", "1 while the broker takes no messages on it.", prom.GaugeValue, func(h connection.LinkHealth) float64 { return flag(h.Blocked != "") }),
	ofLink("lost_total", "How often the connection was lost.", prom.CounterValue, func(h connection.LinkHealth) float64 { return float64(h.Lost) }),
}

// Describe makes it a prometheus.Collector.
func (w *watched) Describe(ch chan<- *prom.Desc) {
	for _, f := range consumerFigures {
		ch <- f.desc
	}
	for _, f := range linkFigures {
		ch <- f.desc
	}
}

// Collect makes it a prometheus.Collector.
func (w *watched) Collect(ch chan<- prom.Metric) {
	w.mu.Lock()
	consumers, connections := append([]Consumers(nil), w.consumers...), maps.Clone(w.connections)
	w.mu.Unlock()
	for _, group := range consumers {
		for _, h := range group.Health() {
			for _, f := range consumerFigures {
				f.send(ch, h, h.Name)
			}
		}
	}
	for name, c := range connections {
		h := c.Health()
		for purpose, link := range map[string]connection.LinkHealth{"publish": h.Publishing, "consume": h.Consuming} {
			if !link.Used {
				continue // nothing is wrong with it
			}
			for _, f := range linkFigures {
				f.send(ch, link, name, purpose)
			}
		}
	}
}
