package topology

import "time"

// Destination is where to publish a message so that it ends up in one queue. The
// zero Destination is nowhere.
type Destination struct {
	Exchange   string // "" is the default exchange
	RoutingKey string
	Queue      string // that the message ends up in

	// Delay is how long the message waits there before it is in the main queue
	// again. It is zero unless the queue is a retry queue.
	Delay time.Duration

	// Expiration must be set on the message, in milliseconds. It is zero, and then
	// must not be set, where the queue itself makes messages wait.
	Expiration time.Duration
}

// Main is the way to the main queue, past all exchanges but the default one.
func (t Topology) Main() Destination {
	for _, q := range t.Queues {
		if q.Role == RoleMain {
			return Destination{RoutingKey: q.Name, Queue: q.Name}
		}
	}
	return Destination{}
}

// Retry is the way to the retry queue in which a message waits for delay. If the
// plan does not list that delay, it is the longest one below it, or else the
// shortest there is; if the plan lists none, it is the zero Destination.
func (t Topology) Retry(delay time.Duration) Destination {
	var best Queue
	for _, q := range t.Queues {
		if q.Role == RoleRetry && q.Delay > 0 && closer(q.Delay, best.Delay, delay) {
			best = q
		}
	}
	d := t.to(best)
	if t.Scheme == Bunnicula {
		d.Expiration = best.Delay
	}
	return d
}

// closer says whether a is a better choice than b for want. No b is none at all.
func closer(a, b, want time.Duration) bool {
	switch {
	case b == 0:
		return true
	case a <= want && b <= want:
		return a > b
	default:
		return a < b
	}
}

// Quarantine is the way to the quarantine queue; the zero Destination if there is none.
func (t Topology) Quarantine() Destination { return t.first(RoleQuarantine) }

// Error is the way to the error queue.
func (t Topology) Error() Destination { return t.first(RoleError) }

func (t Topology) first(r Role) Destination {
	for _, q := range t.Queues {
		if q.Role == r {
			return t.to(q)
		}
	}
	return Destination{}
}

// to is the way to a retry queue or an error queue.
func (t Topology) to(q Queue) Destination {
	switch {
	case q.Name == "":
		return Destination{}
	case t.Scheme == Bunnicula: // each has an exchange of its own name
		return Destination{Exchange: q.Name, RoutingKey: anyKey, Queue: q.Name, Delay: q.Delay}
	default:
		return Destination{RoutingKey: q.Name, Queue: q.Name, Delay: q.Delay}
	}
}
