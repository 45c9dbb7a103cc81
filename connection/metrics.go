package connection

// Metrics tells the metrics of both TCP connections at this moment, for monitoring/prometheus. The
// labels are the connection's name and the purpose, "publish" or "consume". A TCP connection that
// is not used yet has no metrics.
func (c *Connection) Metrics(tell func(name string, value float64, labels ...string)) {
	h := c.Health()
	linkMetrics(h.Publishing, tell, c.Name(), "publish")
	linkMetrics(h.Consuming, tell, c.Name(), "consume")
}

func linkMetrics(h LinkHealth, tell func(name string, value float64, labels ...string), labels ...string) {
	if !h.Used {
		return
	}
	tell("connection_up", flag(h.Connected), labels...)
	tell("connection_blocked", flag(h.Blocked != ""), labels...)
	tell("connection_lost_total", float64(h.Lost), labels...)
}

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}
