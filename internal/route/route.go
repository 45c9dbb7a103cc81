// Package route says where to publish a message so that it ends up in one queue of a topology.
package route

import (
	"time"

	"github.com/bunnicula-go/bunnicula/topology"
)

// Destination is where to publish a message so that it ends up in one queue. The zero Destination
// is nowhere.
type Destination struct {
	Exchange   string // "" is the default exchange
	RoutingKey string
	Queue      string // that the message ends up in

	// Delay is how long the message waits in Queue before it returns to the main queue. It is zero
	// unless Queue is a retry queue.
	Delay time.Duration

	// Expiration must be set on the message, in milliseconds. If it is zero the queue itself makes
	// messages wait, and the message must carry none.
	Expiration time.Duration
}

// ReturnsDirectly returns whether a message comes back from here to the main queue through the
// default exchange: its exchange is "" then, and its routing key the main queue. Messages of
// Clojure's Bunnicula come back through an exchange of their own.
func (d Destination) ReturnsDirectly() bool { return d.Delay > 0 && d.Exchange == "" }

// Main leads to the main queue through the default exchange, whatever the main queue's bindings.
func Main(t topology.Topology) Destination {
	for _, q := range t.Queues {
		if q.Role == topology.RoleMain {
			return Destination{RoutingKey: q.Name, Queue: q.Name}
		}
	}
	return Destination{}
}

// Retry leads to the retry queue in which a message waits for delay. If the topology has no such
// delay, Retry takes the longest one below it, or else the shortest. A topology without retry
// queues gives the zero Destination.
func Retry(t topology.Topology, delay time.Duration) Destination {
	var best topology.Queue
	for _, q := range t.Queues {
		if q.Role == topology.RoleRetry && q.Delay > 0 && closer(q.Delay, best.Delay, delay) {
			best = q
		}
	}
	d := to(t, best)
	if t.Scheme == topology.Bunnicula {
		d.Expiration = best.Delay
	}
	return d
}

// closer says whether a is a better choice than b for want. A zero b means that there is none yet.
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

// Quarantine leads to the quarantine queue. A topology without one gives the zero Destination.
func Quarantine(t topology.Topology) Destination { return first(t, topology.RoleQuarantine) }

// Error leads to the error queue.
func Error(t topology.Topology) Destination { return first(t, topology.RoleError) }

func first(t topology.Topology, r topology.Role) Destination {
	for _, q := range t.Queues {
		if q.Role == r {
			return to(t, q)
		}
	}
	return Destination{}
}

// anyKey is the routing key with which Clojure's Bunnicula publishes to the exchanges of its retry
// and error queues. Those exchanges route every key.
const anyKey = "#"

// to leads to a queue that is not the main one.
func to(t topology.Topology, q topology.Queue) Destination {
	switch {
	case q.Name == "":
		return Destination{}
	case t.Scheme == topology.Bunnicula: // each such queue has an exchange of its own name
		return Destination{Exchange: q.Name, RoutingKey: anyKey, Queue: q.Name, Delay: q.Delay}
	default:
		return Destination{RoutingKey: q.Name, Queue: q.Name, Delay: q.Delay}
	}
}
