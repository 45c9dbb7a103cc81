package topology

import (
	"errors"
	"fmt"
)

// Conflicts finds queues and exchanges that stand in each other's way in topologies
// of one virtual host: a main queue that is another topology's main, retry or error
// queue, and anything that two would declare differently. An error queue may be
// shared. It returns all it finds as one error, or nil.
func Conflicts(topologies ...Topology) error {
	var found []error
	queues := map[string]Queue{}
	exchanges := map[string]Exchange{}
	for _, t := range topologies {
		for _, q := range t.Queues {
			if other, ok := queues[q.Name]; ok {
				found = append(found, queueConflict(other, q))
			}
			queues[q.Name] = q
		}
		for _, e := range t.Exchanges {
			if other, ok := exchanges[e.Name]; ok && other != e {
				found = append(found, fmt.Errorf("topology: exchange %q: one declares it as %v and another as %v", e.Name, other, e))
			}
			exchanges[e.Name] = e
		}
	}
	return errors.Join(found...)
}

// queueConflict returns what is wrong with a name that two queues have.
func queueConflict(a, b Queue) error {
	switch {
	case a.Role == RoleMain && b.Role == RoleMain:
		return fmt.Errorf("topology: queue %q: it is the main queue of two", a.Name)
	case a.Role != RoleError || b.Role != RoleError:
		return fmt.Errorf("topology: queue %q: it is the %s queue of one and the %s queue of another", a.Name, a.Role, b.Role)
	case !a.Existing && !b.Existing && !equalArguments(a.Arguments, b.Arguments):
		return fmt.Errorf("topology: queue %q: it is the error queue of two that declare it differently", a.Name)
	}
	return nil
}

// String prints the exchange: "topic, durable".
func (e Exchange) String() string {
	text := e.Kind + ", durable"
	if e.Transient {
		text = e.Kind + ", transient"
	}
	if e.AutoDelete {
		text += ", auto-delete"
	}
	return text
}
