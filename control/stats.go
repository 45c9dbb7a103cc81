package control

// EventStats are the numbers of events since the start.
type EventStats struct {
	Published uint64 // the broker has confirmed it, whether or not a queue was bound for it
	Dropped   uint64 // never published, as far as is known
}

// Stats returns how many events were published and dropped.
func (m *EventMonitor) Stats() EventStats {
	return EventStats{Published: m.outlet.published.Load(), Dropped: m.losses.count.Load()}
}

// Metrics tells the numbers of Stats, for monitoring/prometheus. The label is the exchange.
func (m *EventMonitor) Metrics(tell func(name string, value float64, labels ...string)) {
	s := m.Stats()
	tell("events_published_total", float64(s.Published), m.cfg.Exchange)
	tell("events_dropped_total", float64(s.Dropped), m.cfg.Exchange)
}
