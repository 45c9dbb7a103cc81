package main

import (
	"maps"
	"slices"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/bench/turn"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Arguments of queues that a side leaves out.
const (
	strategy      = "x-dead-letter-strategy"
	overflow      = "x-overflow"
	ttl           = "x-message-ttl"
	deliveryLimit = "x-delivery-limit"
)

// brokerSide is a side of a case about the broker. All of them are the raw client.
type brokerSide struct {
	name   string
	copies copies
	queues func(*topology.Topology) // nil leaves them as ours
}

// brokerWorkloads measure what the broker pays for a retry. The sides of a case differ only in the
// arguments of queues, or in the copy. The first one has those of this library.
func brokerWorkloads() []workload {
	return []workload{
		brokerWorkload("broker-retry-queue", "every message fails once; arguments of the retry queue", retryQueueSides()),
		brokerWorkload("broker-main-queue", "every message fails once; arguments of the main queue", mainQueueSides()),
		brokerWorkload("broker-copy", "every message fails once; what its copy is like", copySides()),
		brokerWorkload("broker-confirm", "every message fails once; how many copies are unconfirmed at once", confirmSides()),
		brokerWorkload("broker-return", "all copies expire at once; from then to the last ack", returnSides()),
	}
}

func brokerWorkload(name, does string, sides []brokerSide) workload {
	w := workload{
		Name: name, Work: does, Count: 4000, Quick: 500, Figure: turn.Rate, Columns: work, Preload: true, Long: true,
		Backoff: []time.Duration{pause}, Arguments: map[string]func(*topology.Topology){},
	}
	for _, s := range sides {
		w.Sides = append(w.Sides, side{Name: s.name, do: s.copies.retry})
		w.Arguments[s.name] = s.queues
	}
	return w
}

func retryQueueSides() []brokerSide {
	as := copies{headers: threeHeaders()}
	expiring, spread := as, as
	expiring.expires, spread.queues = true, 8
	return []brokerSide{
		{"as ours", as, nil},
		{"at most once", as, without(topology.RoleRetry, strategy)},
		{"at most once, no x-overflow", as, without(topology.RoleRetry, strategy, overflow)},
		{"classic", as, classic(topology.RoleRetry)},
		{"expiration, no x-message-ttl", expiring, without(topology.RoleRetry, ttl)},
		{"eight retry queues", spread, moreDelays(spread.queues)},
	}
}

func mainQueueSides() []brokerSide {
	as := copies{headers: threeHeaders()}
	return []brokerSide{
		{"as ours", as, nil},
		{"no x-delivery-limit", as, without(topology.RoleMain, deliveryLimit)},
		{"no x-overflow", as, without(topology.RoleMain, overflow)},
		{"no dead-lettering", as, without(topology.RoleMain, strategy, "x-dead-letter-exchange", "x-dead-letter-routing-key")},
		{"single active consumer", as, singleActive},
		{"classic", as, classic(topology.RoleMain)},
		{"classic, and classic retry queue", as, both(classic(topology.RoleMain), classic(topology.RoleRetry))},
	}
}

func copySides() []brokerSide {
	as := copies{headers: threeHeaders()}
	transient, large := as, as
	transient.transient, large.body = true, turn.Body(4096)
	return []brokerSide{
		{"as ours", as, nil},
		{"no headers", copies{}, nil},
		{"eight headers, 1.5 kB", copies{headers: eightHeaders()}, nil},
		{"one header, 1.5 kB", copies{headers: oneHeader(1536)}, nil},
		{"one header, 4 kB", copies{headers: oneHeader(4096)}, nil},
		{"transient", transient, nil},
		{"a body of 4 kB", large, nil},
	}
}

func confirmSides() []brokerSide {
	as := copies{headers: threeHeaders()}
	serial := as
	serial.serial = true
	return []brokerSide{{"as ours", as, nil}, {"waits for each confirm", serial, nil}}
}

// returnSides have the time in which the copies are published before what is measured.
func returnSides() []brokerSide {
	as := copies{headers: threeHeaders(), together: 4 * time.Second}
	return []brokerSide{
		{"as ours", as, without(topology.RoleRetry, ttl)},
		{"at most once", as, without(topology.RoleRetry, ttl, strategy)},
		{"classic retry queue", as, both(classic(topology.RoleRetry), without(topology.RoleRetry, ttl))},
	}
}

func both(one, other func(*topology.Topology)) func(*topology.Topology) {
	return func(t *topology.Topology) {
		one(t)
		other(t)
	}
}

// ofEach returns a change of the arguments of all queues with a role.
func ofEach(role topology.Role, change func(arguments map[string]any)) func(*topology.Topology) {
	return func(t *topology.Topology) {
		for _, q := range t.Queues {
			if q.Role == role {
				change(q.Arguments)
			}
		}
	}
}

func without(role topology.Role, names ...string) func(*topology.Topology) {
	return ofEach(role, func(arguments map[string]any) {
		for _, name := range names {
			delete(arguments, name)
		}
	})
}

// classic leaves out the arguments that classic queues do not have.
func classic(role topology.Role) func(*topology.Topology) {
	return ofEach(role, func(arguments map[string]any) {
		arguments["x-queue-type"] = string(topology.Classic)
		delete(arguments, strategy)
		delete(arguments, deliveryLimit)
	})
}

func singleActive(t *topology.Topology) {
	ofEach(topology.RoleMain, func(arguments map[string]any) { arguments["x-single-active-consumer"] = true })(t)
}

// moreDelays adds retry queues until there are n.
func moreDelays(n int) func(*topology.Topology) {
	return func(t *topology.Topology) {
		first := t.Queues[slices.IndexFunc(t.Queues, func(q topology.Queue) bool { return q.Role == topology.RoleRetry })]
		for i := 1; i < n; i++ {
			more := first
			more.Delay = delayOf(i)
			more.Name = topology.RetryQueue(t.Queues[0].Name, more.Delay)
			more.Arguments = maps.Clone(first.Arguments)
			more.Arguments[ttl] = more.Delay.Milliseconds()
			t.Queues = append(t.Queues, more)
		}
	}
}

// history is the header bunnicula-history after the first attempt.
const history = `[{"at":"2026-01-02T03:04:05Z","attempt":1,"reason":"retry",` +
	`"error":"mail server: connection refused","host":"worker-1","ms":5}]`

// threeHeaders are those of a waiting copy.
func threeHeaders() amqp.Table {
	return amqp.Table{"bunnicula-queue": "orders", "bunnicula-history": history, "retry-attempts": int64(1)}
}

// eightHeaders are those with reason, error and a stack, of which the last fills up 1.5 kB.
func eightHeaders() amqp.Table {
	h := threeHeaders()
	h["bunnicula-reason"] = "retry"
	h["bunnicula-error"] = "mail server: connection refused"
	h["bunnicula-first-failed-at"] = "2026-01-02T03:04:05Z"
	h["bunnicula-original-exchange"] = "orders-events"
	h["bunnicula-stack"] = strings.Repeat("x", 1100)
	return h
}

func oneHeader(bytes int) amqp.Table { return amqp.Table{"x": strings.Repeat("x", bytes)} }
