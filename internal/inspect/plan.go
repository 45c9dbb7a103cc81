package inspect

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Change says what the declaration of one queue, exchange or binding would do.
type Change struct {
	Action Action `json:"action"`
	What   string `json:"what"` // exchange, queue, binding
	Name   string `json:"name"` // a binding's queue

	Role topology.Role `json:"role,omitempty"` // of a queue
	Kind string        `json:"kind,omitempty"` // a queue's or an exchange's type

	Exchange string `json:"exchange,omitempty"` // a binding's
	Key      string `json:"key,omitempty"`      // a binding's
	// A binding's.
	Arguments map[string]any `json:"arguments,omitempty"`

	Differences []Difference `json:"differences,omitempty"`
	Problem     string       `json:"problem,omitempty"` // why it is unknown, or cannot be done
	Remedy      string       `json:"remedy,omitempty"`
	// Settings of a queue that is there, of policies too, with which it loses messages or delays
	// them. No declaration changes a policy.
	Problems []string `json:"problems,omitempty"`
}

// Difference is one argument or attribute with another value than the wanted one.
type Difference struct {
	Argument string `json:"argument"`
	Existing string `json:"existing"` // "none" if there is none
	Wanted   string `json:"wanted"`
}

// Action says what apply does.
type Action string

// The actions.
const (
	Keep    Action = "same"    // nothing: it exists
	Create  Action = "create"  // declares it
	Refused Action = "differs" // nothing: the broker would refuse with 406
	Lacking Action = "missing" // nothing: it must exist and does not
	Unasked Action = "unknown" // tries: this user or this way of asking cannot tell
	Beyond  Action = "beyond"  // nothing: a binding that is there, and that the file does not have
)

// Known is what the management API tells and AMQP does not: all arguments of queues, and bindings.
type Known struct {
	Queues   map[string]management.Queue
	Bindings []management.Binding
}

// Plan compares what topologies declare with what exists. It changes nothing. known may be nil.
func (b *Broker) Plan(ctx context.Context, known *Known, topologies ...topology.Topology) ([]Change, error) {
	var changes []Change
	seen := map[string]bool{}
	first := func(what, name string) bool {
		there := seen[what+name]
		seen[what+name] = true
		return !there
	}
	for _, t := range topologies {
		for _, e := range t.Exchanges {
			if !first("exchange", e.Name) {
				continue
			}
			c, err := b.Exchange(ctx, e)
			if err != nil {
				return nil, err
			}
			changes = append(changes, exchangeChange(e, c))
		}
	}
	for _, t := range topologies {
		for _, e := range boundOnly(t) {
			if !first("exchange", e) { // another topology declares it too
				continue
			}
			c, err := b.HasExchange(ctx, e)
			if err != nil {
				return nil, err
			}
			changes = append(changes, boundChange(e, c))
		}
	}
	for _, t := range topologies {
		for _, q := range t.Queues {
			if !first("queue", q.Name) { // a shared error queue
				continue
			}
			c, err := b.Queue(ctx, q)
			if err != nil {
				return nil, err
			}
			changes = append(changes, queueChange(q, c, known))
		}
	}
	for _, t := range topologies {
		for _, bind := range t.Bindings {
			changes = append(changes, bindingChange(bind, changes, known))
		}
	}
	return append(changes, beyond(known, topologies)...), nil
}

// boundOnly returns the exchanges of bindings that no topology declares.
func boundOnly(t topology.Topology) []string {
	var names []string
	for _, b := range t.Bindings {
		if !slices.Contains(names, b.Exchange) && !slices.ContainsFunc(t.Exchanges, func(e topology.Exchange) bool { return e.Name == b.Exchange }) {
			names = append(names, b.Exchange)
		}
	}
	return names
}

// Blocked says that applying the changes would fail.
func Blocked(changes []Change) bool {
	return slices.ContainsFunc(changes, func(c Change) bool { return c.Action == Refused || c.Action == Lacking })
}

// CountOf counts the changes with this action.
func CountOf(changes []Change, a Action) int {
	n := 0
	for _, c := range changes {
		if c.Action == a {
			n++
		}
	}
	return n
}

// queueType returns the type with which a queue is declared, "" if the broker decides or the queue
// exists.
func queueType(q topology.Queue) string {
	t, _ := q.Arguments["x-queue-type"].(string)
	return t
}

func queueChange(q topology.Queue, c Comparison, known *Known) Change {
	change := Change{What: "queue", Name: q.Name, Role: q.Role, Kind: queueType(q)}
	change.judge(c)
	if k, ok := known.queue(q.Name); ok {
		change.Problems = problems(k, q)
	}
	switch {
	case c.Verdict == Missing && q.Existing:
		change.Action = Lacking
		change.Problem = "the mode of this consumer does not declare it"
		change.Remedy = "declare it with a user who may, or use mode: all"
	case c.Verdict == Differs:
		if k, ok := known.queue(q.Name); ok {
			change.Differences = differences(q.Arguments, k.Arguments, change.Differences)
		}
		change.Remedy = remedy(q.Role)
		if q.Existing { // it may have any arguments, but not any type
			change.Remedy = "consume from another queue: what is read from a stream stays in it, and cannot be given back"
		}
	case c.Verdict == Impossible:
		change.Remedy = "change the argument, which this broker does not take for a new queue of this type"
	}
	return change
}

// judge fills in the results of a comparison.
func (c *Change) judge(found Comparison) {
	switch found.Verdict {
	case Same:
		c.Action = Keep
	case Missing:
		c.Action = Create
	case Differs:
		c.Action = Refused
		m := found.Mismatch
		c.Differences = []Difference{{Argument: m.Argument, Existing: m.Existing, Wanted: m.Wanted}}
	case Impossible:
		c.Action, c.Problem = Refused, found.Err.Error()
	default:
		c.Action, c.Problem = Unasked, found.Err.Error()
	}
}

func remedy(r topology.Role) string {
	const drain = "let it drain and delete it"
	switch r {
	case topology.RoleMain:
		return "keep it as it is with mode: satellites, or say in the file what is there, or " + drain
	case topology.RoleError:
		return "name another with error_queue, or " + drain
	default:
		return drain + "; the app declares it again"
	}
}

func exchangeChange(e topology.Exchange, c Comparison) Change {
	change := Change{What: "exchange", Name: e.Name, Kind: e.Kind}
	change.judge(c)
	if c.Verdict == Differs {
		change.Remedy = "say in the file what is there, or leave out kind to bind to it as it is"
	}
	return change
}

// boundChange returns the Change for an exchange that has a binding and is not declared.
func boundChange(name string, c Comparison) Change {
	change := Change{What: "exchange", Name: name}
	change.judge(c)
	if c.Verdict == Missing {
		change.Action, change.Problem = Lacking, "it is bound to, and nobody declares it"
		change.Remedy = "declare it first, or give its kind in the file"
	}
	return change
}

func (k *Known) queue(name string) (management.Queue, bool) {
	if k == nil {
		return management.Queue{}, false
	}
	q, ok := k.Queues[name]
	return q, ok
}

// differences returns all arguments that differ, beginning with the one that the broker named.
func differences(wanted, existing map[string]any, first []Difference) []Difference {
	all := slices.Clone(first)
	names := map[string]any{}
	maps.Copy(names, wanted)
	maps.Copy(names, existing)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		w, wants := wanted[name]
		e, exists := existing[name]
		if wants == exists && reflect.DeepEqual(w, e) || slices.ContainsFunc(all, func(d Difference) bool { return d.Argument == name }) {
			continue
		}
		all = append(all, Difference{Argument: name, Existing: printed(e, exists), Wanted: printed(w, wants)})
	}
	return all
}

// printed returns a value as the broker prints it.
func printed(value any, there bool) string {
	switch {
	case !there:
		return "none"
	case value == "":
		return `""`
	}
	return fmt.Sprint(value)
}
