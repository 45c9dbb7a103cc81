package consumer

// Metrics calls tell with each figure of each consumer at this moment, for monitoring/prometheus.
// The labels are Spec.Connection and the consumer's name, because consumers of different
// connections may have the same name.
func (g *Group) Metrics(tell func(name string, value float64, labels ...string)) {
	for _, c := range g.Consumers() {
		c.Health().metrics(tell, c.spec.Connection, c.spec.Name)
	}
}

func (h Health) metrics(tell func(name string, value float64, labels ...string), labels ...string) {
	tell("consumer_up", flag(h.Ready), labels...)
	tell("consumer_handlers", float64(h.Running), labels...)
	tell("consumer_handlers_limit", float64(h.Limit), labels...)
	tell("consumer_handlers_stuck", float64(h.Stuck), labels...)
	tell("consumer_monitors_blocked", float64(h.MonitorsBlocked), labels...)
	tell("consumer_copies_blocked", float64(h.CopiesBlocked), labels...)
	tell("consumer_unreadable", float64(h.Unreadable), labels...)
	tell("consumer_refused", float64(h.Refused), labels...)
	tell("consumer_slow", flag(h.Slow), labels...)
	tell("consumer_stale_acks_total", float64(h.StaleAcks), labels...)
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
