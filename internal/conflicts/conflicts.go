// Package conflicts finds topologies that cannot stand beside each other in one virtual host.
package conflicts

import (
	"errors"
	"fmt"

	"github.com/bunnicula-go/bunnicula/topology"
)

// Find returns everything that is wrong with these topologies in one virtual host as one error, or
// nil. A conflict is a main queue that is also another topology's main, retry, quarantine or error
// queue, and whatever two topologies would declare differently. Topologies may share an error
// queue.
func Find(topologies ...topology.Topology) error {
	var found []error
	queues := map[string]topology.Queue{}
	exchanges := map[string]topology.Exchange{}
	for _, t := range topologies {
		for _, q := range t.Queues {
			if other, ok := queues[q.Name]; ok {
				found = append(found, queueConflict(other, q))
			}
			queues[q.Name] = q
		}
		for _, e := range t.Exchanges {
			if other, ok := exchanges[e.Name]; ok && other != e {
				found = append(found, fmt.Errorf("topology: exchange %q: one declares it as %s and another as %s",
					e.Name, spelled(other), spelled(e)))
			}
			exchanges[e.Name] = e
		}
	}
	return errors.Join(found...)
}

// queueConflict returns what is wrong with two queues of one name, or nil.
func queueConflict(a, b topology.Queue) error {
	switch {
	case a.Role == topology.RoleMain && b.Role == topology.RoleMain:
		return fmt.Errorf("topology: queue %q: it is the main queue of two", a.Name)
	case a.Role != topology.RoleError || b.Role != topology.RoleError:
		return fmt.Errorf("topology: queue %q: it is the %s queue of one and the %s queue of another", a.Name, a.Role, b.Role)
	case !a.Existing && !b.Existing && !equal(a, b):
		return fmt.Errorf("topology: queue %q: it is the error queue of two that declare it differently", a.Name)
	}
	return nil
}

func equal(a, b topology.Queue) bool {
	return topology.Topology{Queues: []topology.Queue{a}}.Equal(topology.Topology{Queues: []topology.Queue{b}})
}

// spelled is an exchange in words: "topic, durable".
func spelled(e topology.Exchange) string {
	text := e.Kind + ", durable"
	if e.Transient {
		text = e.Kind + ", transient"
	}
	if e.AutoDelete {
		text += ", auto-delete"
	}
	return text
}
