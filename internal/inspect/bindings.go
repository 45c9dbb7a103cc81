package inspect

import (
	"cmp"
	"encoding/json"
	"maps"
	"reflect"
	"slices"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/topology"
)

// bindingChange returns the Change for a binding, as the API shows it. Without an API a binding is
// missing if its queue or exchange is missing, and otherwise unknown. A binding with other
// arguments is another binding.
func bindingChange(b topology.Binding, before []Change, known *Known) Change {
	change := Change{What: "binding", Name: b.Queue, Exchange: b.Exchange, Key: b.Key, Arguments: b.Arguments, Action: Unasked}
	switch {
	case slices.ContainsFunc(before, func(c Change) bool {
		return c.Action == Create && (c.What == "queue" && c.Name == b.Queue || c.What == "exchange" && c.Name == b.Exchange)
	}):
		change.Action = Create
	case known == nil:
		change.Problem = "AMQP cannot tell; the management API can"
	case slices.ContainsFunc(known.Bindings, func(k management.Binding) bool { return isBound(b, k) }):
		change.Action = Keep
	default:
		change.Action = Create
	}
	return change
}

// isBound says whether the API's binding is the wanted one.
func isBound(b topology.Binding, k management.Binding) bool {
	return k.Kind == "queue" && k.Source == b.Exchange && k.Destination == b.Queue && k.Key == b.Key &&
		reflect.DeepEqual(plain(map[string]any(k.Arguments)), plain(b.Arguments))
}

// beyond returns the bindings of queues in the topologies that no topology has. It leaves out those
// of the default exchange, which cannot be removed, and the queues of which a topology says
// nothing: those that it neither declares nor binds.
func beyond(known *Known, topologies []topology.Topology) []Change {
	if known == nil {
		return nil
	}
	ours := map[string]bool{}
	var wanted []topology.Binding
	for _, t := range topologies {
		for _, q := range t.Queues {
			ours[q.Name] = ours[q.Name] || !q.Existing
		}
		for _, b := range t.Bindings {
			ours[b.Queue] = true
			wanted = append(wanted, b)
		}
	}
	var found []Change
	for _, k := range known.Bindings {
		if k.Kind != "queue" || k.Source == "" || !ours[k.Destination] ||
			slices.ContainsFunc(wanted, func(b topology.Binding) bool { return isBound(b, k) }) {
			continue
		}
		found = append(found, Change{
			What: "binding", Name: k.Destination, Exchange: k.Source, Key: k.Key, Arguments: k.Arguments, Action: Beyond,
			Problem: "it is not in the file, and brings messages into the queue",
		})
	}
	slices.SortFunc(found, func(a, b Change) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Exchange, b.Exchange), cmp.Compare(a.Key, b.Key))
	})
	return found
}

// plain makes arguments comparable, whether they come from a file or from the API.
func plain(value any) any {
	switch v := value.(type) {
	case map[string]any:
		return plainTable(v)
	case amqp.Table:
		return plainTable(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = plain(v[i])
		}
		return list
	case []byte:
		return string(v)
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	}
	if f, ok := value.(float64); ok && f == float64(int64(f)) { // JSON does not tell 1.0 from 1
		return int64(f)
	}
	return value
}

func plainTable(table map[string]any) map[string]any {
	clean := make(map[string]any, len(table))
	for name, value := range maps.All(table) {
		clean[name] = plain(value)
	}
	return clean
}
