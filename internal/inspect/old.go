package inspect

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/topology"
)

// deletion is the order in which queues are deleted: none before those that lead to it.
var deletion = []topology.Role{topology.RoleRetry, topology.RoleMain, topology.RoleQuarantine, topology.RoleError}

// OldQueues returns the queues of a consumer that is gone, and those of the plans are left out. It
// says of each why it must be kept. Only those of the asked roles may be deleted. It takes what the
// management API knows, and changes nothing.
func (b *Broker) OldQueues(ctx context.Context, known *Known, old string, asked []topology.Role, plans ...topology.Plan) ([]Leftover, error) {
	named, err := namesOf(plans)
	if err != nil {
		return nil, err
	}
	found := family(known, old, named)
	for i := range found {
		l := &found[i]
		if l.Unasked = !slices.Contains(asked, l.Role); l.Unasked {
			l.Keep = "nobody has asked for it: --kinds " + string(l.Role)
			continue
		}
		if l.Keep = keepOld(l, known, named); l.Keep != "" {
			continue
		}
		// The API's numbers are some seconds old.
		n, err := b.Count(ctx, l.Queue)
		switch {
		case code(err) == amqp.NotFound:
			l.Keep = "somebody else has deleted it"
		case code(err) == amqp.AccessRefused:
			l.Keep = "this user may not look at it"
		case err != nil:
			return nil, err
		default:
			l.Keep = inUse(n)
		}
	}
	KeepWhatIsLedTo(found, known)
	return found, nil
}

// namesOf returns the names of all queues of plans.
func namesOf(plans []topology.Plan) (map[string]bool, error) {
	named := map[string]bool{}
	for _, p := range plans {
		t, err := topology.New(p)
		if err != nil {
			return nil, err
		}
		for _, name := range t.Names() {
			named[name] = true
		}
	}
	return named, nil
}

// family returns the queues that a consumer has by their names, in the order of their deletion.
func family(known *Known, old string, named map[string]bool) []Leftover {
	found := []Leftover{}
	for _, name := range slices.Sorted(maps.Keys(known.Queues)) {
		l := Leftover{Queue: name, Consumer: old, Role: roleIn(name, old, known)}
		if l.Role == "" || named[name] {
			continue
		}
		if _, delay, ok := CutRetry(name); ok {
			l.Delay = topology.FormatDelay(delay)
		}
		l.expected = topology.Queue{Name: name, Role: l.Role, Arguments: map[string]any{"x-queue-type": known.Queues[name].Type}}
		found = append(found, l)
	}
	slices.SortStableFunc(found, func(a, b Leftover) int {
		return cmp.Compare(slices.Index(deletion, a.Role), slices.Index(deletion, b.Role))
	})
	return found
}

// roleIn returns the role that a queue has for a consumer, "" if none.
func roleIn(name, old string, known *Known) topology.Role {
	switch name {
	case old:
		return topology.RoleMain
	case topology.QuarantineQueue(old):
		return topology.RoleQuarantine
	case topology.ErrorQueue(old):
		return topology.RoleError
	}
	if main, _, ok := CutRetry(name); ok && main == old || name == old+"-retry" {
		if LeadsTo(known.Queues[name], old) {
			return topology.RoleRetry
		}
	}
	return ""
}

// LeadsTo says whether a queue dead-letters to another one, directly or by the exchange of the
// scheme of Clojure's Bunnicula.
func LeadsTo(q management.Queue, to string) bool {
	exchange, dead := q.Arguments["x-dead-letter-exchange"]
	if !dead {
		return false
	}
	return exchange == any("") && q.Arguments["x-dead-letter-routing-key"] == any(to) || exchange == any(requeue(to))
}

// requeue is the exchange that leads from the retry queue to the main queue in the scheme of
// Clojure's Bunnicula.
func requeue(queue string) string { return queue + "-retry-requeue" }

// keepOld returns why the API says that a queue must not be deleted.
func keepOld(l *Leftover, known *Known, named map[string]bool) string {
	k := known.Queues[l.Queue]
	switch {
	case k.Type != string(topology.Quorum) && k.Type != string(topology.Classic):
		return fmt.Sprintf("its type is %s, want quorum or classic", orUnknown(k.Type))
	case k.Messages == nil || k.Consumers == nil || k.Type == string(topology.Quorum) && k.Kept == nil:
		return "the management API does not yet know how many messages it keeps"
	case *k.Messages > 0:
		return fmt.Sprintf("messages in it, or held by consumers: %d", *k.Messages)
	case k.Kept != nil && *k.Kept > 0:
		return fmt.Sprintf("messages kept for its next queue: %d", *k.Kept)
	case *k.Consumers > 0:
		return fmt.Sprintf("consumers of it: %d", *k.Consumers)
	}
	if why := stillWorks(l, known); why != "" {
		return why
	}
	return stillBound(l, known, named)
}

// stillWorks returns why a queue is kept that a consumer of the main queue publishes to and needs,
// "" if there is no such consumer. The guard reads quarantine with basic.get, so the queue itself
// has no consumers.
func stillWorks(l *Leftover, known *Known) string {
	main := known.Queues[l.Consumer]
	if l.Role != topology.RoleRetry && l.Role != topology.RoleQuarantine || main.Consumers == nil || *main.Consumers == 0 {
		return ""
	}
	return fmt.Sprintf("consumers of %q, who use it: %d", l.Consumer, *main.Consumers)
}

// stillBound returns why a leftover queue is kept that an exchange fills, "" if none does.
func stillBound(l *Leftover, known *Known, named map[string]bool) string {
	for _, b := range known.Bindings {
		if b.Kind == "queue" && b.Source != "" && b.Destination == l.Queue && !isSchemes(b.Source, l.Consumer) && !replaced(b, known, named) {
			return fmt.Sprintf("exchange %q brings messages into it (key %q), and into no queue of the file: unbind it, or bind the queue that takes its place", b.Source, b.Key)
		}
	}
	return ""
}

// isSchemes says whether an exchange is one of the scheme of Clojure's Bunnicula.
func isSchemes(exchange, queue string) bool {
	return exchange == requeue(queue) || exchange == queue+"-retry" || exchange == topology.ErrorQueue(queue)
}

// replaced says whether a queue that stays is bound in the same way.
func replaced(b management.Binding, known *Known, named map[string]bool) bool {
	return slices.ContainsFunc(known.Bindings, func(other management.Binding) bool {
		return other.Kind == "queue" && named[other.Destination] && other.Source == b.Source && other.Key == b.Key &&
			reflect.DeepEqual(plain(map[string]any(other.Arguments)), plain(map[string]any(b.Arguments)))
	})
}

// BindingsOf returns the bindings of a main queue, without that of the default exchange and those
// of the scheme of Clojure's Bunnicula, which nobody else publishes to.
func (k *Known) BindingsOf(queue string) []management.Binding {
	return slices.DeleteFunc(slices.Clone(k.Bindings), func(b management.Binding) bool {
		return b.Kind != "queue" || b.Source == "" || b.Destination != queue || isSchemes(b.Source, queue)
	})
}

// Bound says whether another queue is bound in the same way.
func (k *Known) Bound(b management.Binding, queue string) bool {
	return replaced(b, k, map[string]bool{queue: true})
}

func inUse(n Count) string {
	switch {
	case n.Ready > 0:
		return fmt.Sprintf("messages in it: %d", n.Ready)
	case n.Consumers > 0:
		return fmt.Sprintf("consumers of it: %d", n.Consumers)
	}
	return ""
}

// KeepWhatIsLedTo keeps each queue to which one dead-letters that stays: its messages would go
// nowhere.
func KeepWhatIsLedTo(found []Leftover, known *Known) {
	goes := map[string]bool{}
	for _, l := range found {
		goes[l.Queue] = l.Keep == ""
	}
	for changed := true; changed; {
		changed = false
		for i := range found {
			l := &found[i]
			if l.Keep != "" || l.Deleted {
				continue
			}
			for _, name := range slices.Sorted(maps.Keys(known.Queues)) {
				if !goes[name] && name != l.Queue && LeadsTo(known.Queues[name], l.Queue) {
					l.Keep, goes[l.Queue], changed = fmt.Sprintf("queue %q stays, and dead-letters to it", name), false, true
					break
				}
			}
		}
	}
}
