package errorqueue

import (
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/topology"
)

// A message that was published with a delay keeps the time at which it was due, wherever it is
// taken: the age that its handler sees counts from that.
func TestEveryWayKeepsTheTimeAtWhichAMessageWasDue(t *testing.T) {
	const due = "2026-11-01T11:00:00.000Z"
	first := amqp.Table{wire.Due: due, wire.NotBefore: due} // as it was published
	to := taker{"me", wire.MaxProperties}
	h := &held{Delivery: amqp.Delivery{MessageId: "m", Headers: first}}
	h.message = ordersQueue().read(&h.Delivery, 1)
	ways := map[string]envelope{
		"redriven": afresh(h, "orders", to, stamp{id: "r", at: now}), "archived": asItIs(h, "orders-archive", to),
	}
	from := topo(t, topology.Plan{Queue: "old", Delays: topology.Ladder})
	for _, p := range passages(from, topo(t, topology.Plan{Queue: "new", Delays: topology.Ladder})) {
		r := relocation{passage: p, old: "old", new: "new", to: topo(t, topology.Plan{Queue: "new", Delays: topology.Ladder}), taker: to}
		ways["moved from "+p.from.Name] = r.copyOf(h, now)
	}
	if len(ways) < 12 {
		t.Fatalf("there are %d ways", len(ways))
	}
	for name, env := range ways {
		if env.Headers[wire.Due] != due {
			t.Errorf("%s: %v", name, env.Headers)
		}
	}
}

// It waits on with the new consumer, in the queue of what is left, whatever it has waited.
func TestAMovedMessageWithADelayIsDueWhenItWas(t *testing.T) {
	from := topo(t, topology.Plan{Queue: "old", Delays: topology.Ladder})
	for name, c := range map[string]struct {
		to     []time.Duration
		left   time.Duration
		queue  string
		before bool
	}{
		"on the Ladder":      {topology.Ladder, 7 * time.Minute, "new-retry-5m", true},
		"exactly on a rung":  {topology.Ladder, 5 * time.Minute, "new-retry-5m", false},
		"without the Ladder": {[]time.Duration{time.Minute}, 7 * time.Minute, "new-retry-1m", true},
		"when it is due":     {topology.Ladder, -time.Hour, "new", false},
	} {
		to := topo(t, topology.Plan{Queue: "new", Delays: c.to})
		due := wire.Stamp(now.Add(c.left))
		d := &held{Delivery: amqp.Delivery{Headers: amqp.Table{wire.Due: due, wire.NotBefore: due}}}
		for _, p := range passages(from, to) {
			if p.from.Role != topology.RoleRetry {
				continue
			}
			env := (relocation{passage: p, old: "old", new: "new", to: to, taker: taker{fits: 100_000}}).copyOf(d, now)
			if later := text(env.Headers, wire.NotBefore); env.RoutingKey != c.queue || (later == due) != c.before || env.Headers[wire.Due] != due {
				t.Errorf("%s, from %s: to %s with %v", name, p.from.Name, env.RoutingKey, env.Headers)
			}
		}
	}
}
