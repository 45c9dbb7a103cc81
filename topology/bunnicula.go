package topology

import (
	"errors"
	"fmt"
	"slices"
)

// anyKey is the routing key with which Clojure's Bunnicula binds queues to exchanges that route
// every key.
const anyKey = "#"

// bunnicula returns the topology of a checked plan of the scheme Bunnicula. Its order is that of
// the declarations in Clojure's bunnicula.component.consumer-with-retry.
func bunnicula(p Plan) Topology {
	var (
		retry   = bunniculaRetry(p.Queue)
		requeue = bunniculaRequeue(p.Queue)
	)
	t := Topology{
		Scheme: Bunnicula,
		Exchanges: []Exchange{
			{Name: retry, Kind: "fanout", Transient: true, AutoDelete: true},
			{Name: p.ErrorQueue, Kind: "topic"},
			{Name: requeue, Kind: "fanout", Transient: true, AutoDelete: true},
		},
		Queues: []Queue{
			{Name: p.Queue, Role: RoleMain},
			{Name: retry, Role: RoleRetry, Arguments: map[string]any{"x-dead-letter-exchange": requeue}},
			{Name: p.ErrorQueue, Role: RoleError},
		},
	}
	if len(p.Delays) > 0 {
		t.Queues[1].Delay = p.Delays[0]
	}
	for _, b := range p.Bindings {
		t.bind(p.Queue, b)
	}
	t.Bindings = append(t.Bindings,
		Binding{Queue: p.Queue, Exchange: requeue, Key: anyKey},
		Binding{Queue: p.ErrorQueue, Exchange: p.ErrorQueue, Key: anyKey},
		Binding{Queue: retry, Exchange: retry, Key: anyKey},
	)
	return t
}

// bunniculaRetry returns the name of the retry queue and of the exchange that leads to it.
func bunniculaRetry(queue string) string { return queue + "-retry" }

// bunniculaRequeue returns the name of the exchange that leads from the retry queue to the main
// queue.
func bunniculaRequeue(queue string) string { return bunniculaRetry(queue) + "-requeue" }

// checkScheme refuses a plan of the scheme Bunnicula that needs anything which Clojure's does not
// declare.
func (p *Plan) checkScheme() error {
	if p.Scheme != Bunnicula {
		return nil
	}
	switch {
	case p.Type != Classic:
		return fmt.Errorf("Type: the scheme Bunnicula has no queues of type %q", p.Type)
	case len(p.Delays) > 1:
		return fmt.Errorf("Delays: the scheme Bunnicula has one delay, since several would wait for each other, not %v (a consumer's are those of Backoff and Delays)", p.Delays)
	case p.ErrorQueue != ErrorQueue(p.Queue):
		return fmt.Errorf("ErrorQueue: the scheme Bunnicula calls it %q, not %q", ErrorQueue(p.Queue), p.ErrorQueue)
	case p.SingleActive:
		return errors.New("SingleActive: the scheme Bunnicula has no single active consumer")
	case len(p.Arguments) > 0:
		return fmt.Errorf("Arguments: the main queue of the scheme Bunnicula has none, not %v", p.Arguments)
	case len(p.Bindings) > 1:
		return fmt.Errorf("Bindings: the scheme Bunnicula has one, not %d", len(p.Bindings))
	}
	for _, b := range p.Bindings {
		switch {
		case b.Exchange == p.ErrorQueue || slices.Contains(p.retryNames(), b.Exchange):
			return fmt.Errorf("Bindings: exchange %q: the scheme Bunnicula keeps that name to itself", b.Exchange)
		case b.Kind != "":
			return fmt.Errorf("Bindings: exchange %q: Kind: the scheme Bunnicula declares no exchange to bind to; leave %q out", b.Exchange, b.Kind)
		case len(b.Keys) != 1 || b.Keys[0] != p.Queue || len(b.Arguments) > 0:
			return fmt.Errorf("Bindings: exchange %q: the scheme Bunnicula binds with the queue's name and nothing else", b.Exchange)
		}
	}
	return nil
}
