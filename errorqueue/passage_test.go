package errorqueue

import (
	"maps"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/wire"
	"github.com/bunnicula-go/bunnicula/topology"
)

func topo(t testing.TB, p topology.Plan) topology.Topology {
	t.Helper()
	made, err := topology.New(p)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func TestEachQueueLeadsToItsCounterpartAndTheMainQueueIsTheLast(t *testing.T) {
	old := topology.Plan{Queue: "old", Delays: []time.Duration{10 * time.Second, time.Minute}}
	clojure := topology.Plan{Queue: "old", Scheme: topology.Bunnicula, Delays: []time.Duration{time.Minute}}
	parked := old
	parked.ErrorQueue = "failures"
	shared := topology.Plan{Queue: "new", ErrorQueue: "failures", Delays: []time.Duration{time.Second}}
	for name, c := range map[string]struct {
		from, to topology.Plan
		want     []passage // of each, from.Name, to, and whether there is a problem
	}{
		"other delays": {old, topology.Plan{Queue: "new", Delays: []time.Duration{30 * time.Second}}, []passage{
			{topology.Queue{Name: "old-error"}, "new-error", "", false, false},
			{topology.Queue{Name: "old-quarantine"}, "new-quarantine", "", false, false},
			{topology.Queue{Name: "old-retry-10s"}, "new-retry-30s", "", false, false},
			{topology.Queue{Name: "old-retry-1m"}, "new-retry-30s", "", false, false},
			{topology.Queue{Name: "old"}, "new", "", false, false},
		}},
		"nowhere to wait, and no quarantine": {old, topology.Plan{Queue: "new", Type: topology.Classic}, []passage{
			{topology.Queue{Name: "old-error"}, "new-error", "", false, false},
			{topology.Queue{Name: "old-quarantine"}, "", "stays", false, false},
			{topology.Queue{Name: "old-retry-10s"}, "", "stays", false, false},
			{topology.Queue{Name: "old-retry-1m"}, "", "stays", false, false},
			{topology.Queue{Name: "old"}, "new", "", false, false},
		}},
		"Clojure's scheme": {clojure, topology.Plan{Queue: "new", Delays: []time.Duration{time.Minute}}, []passage{
			{topology.Queue{Name: "old-error"}, "new-error", "", false, true},
			{topology.Queue{Name: "old-retry"}, "new-retry-1m", "", false, true},
			{topology.Queue{Name: "old"}, "new", "", false, true},
		}},
		"one error queue": {parked, shared, []passage{
			{topology.Queue{Name: "failures"}, "failures", "", true, false},
			{topology.Queue{Name: "old-quarantine"}, "new-quarantine", "", false, false},
			{topology.Queue{Name: "old-retry-10s"}, "new-retry-1s", "", false, false},
			{topology.Queue{Name: "old-retry-1m"}, "new-retry-1s", "", false, false},
			{topology.Queue{Name: "old"}, "new", "", false, false},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got := passages(topo(t, c.from), topo(t, c.to))
			if len(got) != len(c.want) {
				t.Fatalf("%d passages, want %d", len(got), len(c.want))
			}
			for i, p := range got {
				w := c.want[i]
				if p.from.Name != w.from.Name || p.to != w.to || (p.problem != "") != (w.problem != "") || p.shared != w.shared || p.ownTime != w.ownTime {
					t.Errorf("%d: %+v, want %+v", i, p, w)
				}
			}
		})
	}
}

func TestAMovedRetryIsNeverEarlyAndLateByAShortDelayAtMost(t *testing.T) {
	now := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	to := topo(t, topology.Plan{Queue: "new", Delays: []time.Duration{10 * time.Second, time.Minute}})
	for name, c := range map[string]struct {
		delay     time.Duration
		notBefore time.Duration // from now; 0 is none
		queue     string
		want      time.Duration // the header, from now; 0 is none
	}{
		"its delay is one of the new ones":    {time.Minute, 0, "new-retry-1m", 0},
		"its delay is shorter than all":       {time.Second, 0, "new-retry-10s", 0},
		"its delay is between two":            {30 * time.Second, 0, "new-retry-10s", 30 * time.Second},
		"its delay is longer than all":        {time.Hour, 0, "new-retry-1m", time.Hour},
		"it says when it is due":              {time.Minute, 25 * time.Second, "new-retry-10s", 25 * time.Second},
		"it is due in a moment":               {time.Minute, time.Second, "new-retry-10s", 0},
		"it is due":                           {time.Minute, -time.Second, "new", 0},
		"nothing is known of how it waits":    {0, 0, "new", 0},
		"it says a time exactly one delay on": {time.Second, time.Minute, "new-retry-1m", 0},
	} {
		t.Run(name, func(t *testing.T) {
			var notBefore time.Time
			if c.notBefore != 0 {
				notBefore = now.Add(c.notBefore)
			}
			got := dueOf(to, c.delay, notBefore, now)
			want := due{queue: c.queue}
			if c.want != 0 {
				want.notBefore = now.Add(c.want)
			}
			if got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		})
	}
}

// The retry queue of Clojure's scheme has no time of its own: a message without an expiration never
// comes out of it.
func TestAMovedRetryExpiresInClojuresScheme(t *testing.T) {
	now := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	clojure := topo(t, topology.Plan{Queue: "clojure", Scheme: topology.Bunnicula, Delays: []time.Duration{time.Minute}})
	standard := topo(t, topology.Plan{Queue: "standard", Delays: []time.Duration{10 * time.Second, time.Hour}})
	for name, c := range map[string]struct {
		from, to                     topology.Topology
		expiration                   string // that the message has
		queue, becomes, becomesLater string
	}{
		"into it":      {standard, clojure, "", "clojure-retry", "60000", "2026-11-01T11:00:00.000Z"},
		"out of it":    {clojure, standard, "3600000", "standard-retry-1h", "", ""},
		"neither":      {standard, topo(t, topology.Plan{Queue: "new", Delays: []time.Duration{time.Hour}}), "", "new-retry-1h", "", ""},
		"a stay in it": {clojure, clojure, "60000", "clojure-retry", "60000", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var p passage
			for _, one := range passages(c.from, c.to) {
				if one.from.Role == topology.RoleRetry { // the last one, which waits longest
					p = one
				}
			}
			r := relocation{passage: p, old: mainOf(c.from), new: mainOf(c.to), to: c.to, taker: taker{fits: 100_000}}
			d := &held{Delivery: amqp.Delivery{Expiration: c.expiration, Headers: amqp.Table{wire.RetryAttempts: int64(1)}}}
			env := r.copyOf(d, now)
			if name == "a stay in it" {
				env = r.staying(c.from).copyToStay(d, now)
			}
			if later := text(env.Headers, wire.NotBefore); env.RoutingKey != c.queue || env.Expiration != c.becomes || later != c.becomesLater {
				t.Errorf("it goes to %s, expires in %q ms and is not to be handled before %q, want %s, %q and %q",
					env.RoutingKey, env.Expiration, later, c.queue, c.becomes, c.becomesLater)
			}
		})
	}
}

// An id that a consumer has given is nobody else's, also on a message that came from another queue.
func TestAMoveKeepsTheMarkOfAGivenId(t *testing.T) {
	from, to := topo(t, topology.Plan{Queue: "old"}), topo(t, topology.Plan{Queue: "new"})
	for _, p := range passages(from, to) {
		for _, queue := range []string{"old", "another"} {
			r := relocation{passage: p, old: "old", new: "new", to: to, taker: taker{fits: 100_000}}
			d := &held{Delivery: amqp.Delivery{MessageId: "m", Headers: amqp.Table{wire.Queue: queue, wire.MessageIDGiven: true}}}
			if env := r.copyOf(d, time.Now()); env.MessageId != "m" || env.Headers[wire.MessageIDGiven] != true {
				t.Errorf("%s, of %s: id %q, mark %v", p.from.Name, queue, env.MessageId, env.Headers[wire.MessageIDGiven])
			}
		}
	}
}

// A message in a retry queue does not say what the default exchange and the name of the main queue
// say when it comes back. The new consumer's copy comes back with another name.
func TestAMoveKeepsHowAMessageOfARetryQueueWasPublished(t *testing.T) {
	from := topo(t, topology.Plan{Queue: "old", Delays: []time.Duration{time.Hour}})
	to := topo(t, topology.Plan{Queue: "new", Delays: []time.Duration{time.Hour}})
	for _, p := range passages(from, to) {
		if p.from.Role != topology.RoleRetry {
			continue
		}
		r := relocation{passage: p, old: "old", new: "new", to: to, taker: taker{fits: 100_000}}
		for name, row := range map[string]struct{ headers, want amqp.Table }{
			"to the queue":                  {nil, amqp.Table{wire.OriginalExchange: "", wire.OriginalRoutingKey: "old"}},
			"to an exchange, with its name": {amqp.Table{wire.OriginalExchange: "shop"}, amqp.Table{wire.OriginalExchange: "shop", wire.OriginalRoutingKey: "old"}},
			"to an exchange":                {amqp.Table{wire.OriginalExchange: "shop", wire.OriginalRoutingKey: "k"}, amqp.Table{wire.OriginalExchange: "shop", wire.OriginalRoutingKey: "k"}},
		} {
			h := amqp.Table{wire.Queue: "old", wire.RetryAttempts: int64(1)}
			maps.Copy(h, row.headers)
			got := r.copyOf(&held{Delivery: amqp.Delivery{RoutingKey: p.from.Name, Headers: h}}, time.Now()).Headers
			for header, value := range row.want {
				if got[header] != value {
					t.Errorf("published %s: %s is %v, want %v", name, header, got[header], value)
				}
			}
		}
	}
}
