package inspect

import (
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/topology"
)

// listed returns what the API says of a queue that is empty and unused, and dead-letters to
// another.
func listed(kind, to string) management.Queue {
	zero := 0
	q := management.Queue{Type: kind, Messages: &zero, Consumers: &zero, Kept: &zero, Arguments: management.Values{}}
	if to != "" {
		q.Arguments["x-dead-letter-exchange"], q.Arguments["x-dead-letter-routing-key"] = "", to
	}
	return q
}

// orders returns the queues of a consumer as the API lists them, with those of others.
func orders() *Known {
	return &Known{Queues: map[string]management.Queue{
		"orders": listed("quorum", "orders-error"), "orders-retry-1m": listed("quorum", "orders"),
		"orders-quarantine": listed("quorum", "orders-error"), "orders-error": listed("quorum", ""),
		"orders-retry":          listed("classic", "elsewhere"), // somebody's main queue
		"orders-eu":             listed("quorum", "orders-eu-error"),
		"orders-eu-retry-1m":    listed("quorum", "orders-eu"),
		"orders-retry-1m-error": listed("quorum", ""),
	}}
}

func TestAFamilyIsWhatLeadsBackAndNoFileNames(t *testing.T) {
	var names []string
	for _, l := range family(orders(), "orders", map[string]bool{"orders-error": true}) {
		names = append(names, l.Queue)
	}
	if got := strings.Join(names, " "); got != "orders-retry-1m orders orders-quarantine" {
		t.Errorf("the family is %s", got)
	}
	clojure := &Known{Queues: map[string]management.Queue{"orders": listed("classic", ""), "orders-retry": listed("classic", "")}}
	clojure.Queues["orders-retry"].Arguments["x-dead-letter-exchange"] = "orders-retry-requeue"
	if found := family(clojure, "orders", nil); len(found) != 2 || found[0].Role != topology.RoleRetry {
		t.Errorf("Clojure's family is %+v", found)
	}
}

func TestAQueueIsKeptForWhatTheAPIKnows(t *testing.T) {
	one := 1
	bound := management.Binding{Kind: "queue", Source: "events", Destination: "orders", Key: "order.*"}
	for name, c := range map[string]struct {
		change func(*Known, *management.Queue)
		want   string // a part of the reason; "" is deletable
	}{
		"empty":    {func(*Known, *management.Queue) {}, ""},
		"messages": {func(_ *Known, q *management.Queue) { q.Messages = &one }, "held by consumers: 1"},
		"kept":     {func(_ *Known, q *management.Queue) { q.Kept = &one }, "kept for its next queue: 1"},
		"consumed": {func(_ *Known, q *management.Queue) { q.Consumers = &one }, "consumers of it: 1"},
		"unknown":  {func(_ *Known, q *management.Queue) { q.Kept = nil }, "does not yet know"},
		"a stream": {func(_ *Known, q *management.Queue) { q.Type = "stream" }, "its type is stream"},
		"bound":    {func(k *Known, _ *management.Queue) { k.Bindings = []management.Binding{bound} }, `exchange "events" brings messages into it`},
		"bound, and the new queue too": {func(k *Known, _ *management.Queue) {
			other := bound
			other.Destination = "invoices"
			k.Bindings = []management.Binding{bound, other}
		}, ""},
		"bound, and the new queue otherwise": {func(k *Known, _ *management.Queue) {
			other := bound
			other.Destination, other.Key = "invoices", "order.placed"
			k.Bindings = []management.Binding{bound, other}
		}, "brings messages into it"},
		"bound by the scheme": {func(k *Known, _ *management.Queue) {
			own := bound
			own.Source = "orders-retry-requeue"
			k.Bindings = []management.Binding{own}
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			k := orders()
			q := k.Queues["orders"]
			c.change(k, &q)
			k.Queues["orders"] = q
			got := keepOld(&Leftover{Queue: "orders", Consumer: "orders"}, k, map[string]bool{"invoices": true})
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// Their main queue's consumers publish to these queues, and nothing else tells that they are used.
func TestWhatAConsumerThatWorksHasBesideItsQueueIsKept(t *testing.T) {
	k, one := orders(), 1
	for _, l := range family(k, "orders", nil) {
		if why := keepOld(&l, k, nil); why != "" {
			t.Errorf("%s without consumers: %s", l.Queue, why)
		}
	}
	q := k.Queues["orders"]
	q.Consumers = &one
	k.Queues["orders"] = q
	for _, l := range family(k, "orders", nil) {
		// The main queue stays, and leads to the error queue.
		if why := keepOld(&l, k, nil); l.Role != topology.RoleError && !strings.Contains(why, "consumers of ") {
			t.Errorf("%s may be deleted under a consumer: %q", l.Queue, why)
		}
	}
}

func TestAQueueStaysToWhichOneLeadsThatStays(t *testing.T) {
	k := orders()
	found := family(k, "orders", nil)
	found[0].Keep = "messages in it: 1"
	KeepWhatIsLedTo(found, k)
	for _, l := range found {
		stays := l.Queue != "orders-quarantine"
		if (l.Keep != "") != stays {
			t.Errorf("%s: %q, want that it stays: %v", l.Queue, l.Keep, stays)
		}
	}
	// Somebody else's queue parks in this one.
	k.Queues["another"] = listed("quorum", "orders-error")
	found = family(k, "orders", nil)
	KeepWhatIsLedTo(found, k)
	if last := found[len(found)-1]; last.Queue != "orders-error" || !strings.Contains(last.Keep, `"another" stays`) {
		t.Errorf("%+v", last)
	}
}

func TestBindingsAreThoseOfOthers(t *testing.T) {
	known := &Known{Bindings: []management.Binding{
		{Kind: "queue", Source: "", Destination: "orders", Key: "orders"},
		{Kind: "queue", Source: "orders-retry-requeue", Destination: "orders", Key: "#"},
		{Kind: "queue", Source: "events", Destination: "orders", Key: "order.*"},
		{Kind: "queue", Source: "events", Destination: "refunds", Key: "refund.*"},
		{Kind: "exchange", Source: "events", Destination: "orders", Key: "order.*"},
	}}
	if found := known.BindingsOf("orders"); len(found) != 1 || found[0].Source != "events" || found[0].Kind != "queue" {
		t.Errorf("%+v, want that of events to the queue", found)
	}
}
