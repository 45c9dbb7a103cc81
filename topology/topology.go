package topology

import (
	"maps"
	"reflect"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Topology is the result of [New]. It is plain data and shares no memory with the plan. The zero
// Topology declares nothing.
type Topology struct {
	Scheme    Scheme
	Exchanges []Exchange // that are declared
	Queues    []Queue    // main, retry, quarantine and error queues, in this order
	Bindings  []Binding  // that are made
	Emits     []string   // as in the plan
}

// Exchange is an exchange that is declared.
type Exchange struct {
	Name       string
	Kind       string // the exchange's type, such as "topic"
	Transient  bool   // the broker deletes it when it restarts; other exchanges are durable
	AutoDelete bool   // the broker deletes it with its last binding
}

// Queue is a queue that the consumer needs. It is durable, and neither exclusive nor auto-deleted.
type Queue struct {
	Name string
	Role Role

	// Delay is how long messages wait in a retry queue. It is zero for other queues.
	Delay time.Duration

	// Existing says that the queue is not declared: Declare checks that it exists, whatever its
	// arguments.
	Existing bool

	// Arguments are the arguments of the declaration. Integers are int64.
	Arguments map[string]any
}

// Role says what a queue is for.
type Role string

// The roles.
const (
	RoleMain       Role = "main"       // consumed
	RoleRetry      Role = "retry"      // holds messages until their delay has passed
	RoleQuarantine Role = "quarantine" // holds suspected messages, to be handled alone
	RoleError      Role = "error"      // holds parked messages
)

// Binding binds a queue to an exchange.
type Binding struct {
	Queue     string
	Exchange  string
	Key       string
	Arguments map[string]any
}

// New returns the topology of a plan. It refuses a plan that a broker would refuse, that would lose
// messages, or two of whose queues would have the same name. The error has a line for each field
// that is wrong, with its value. New does not know other plans, which may want the same queue: a
// consumer.Group and package topologyfile check that.
func New(p Plan) (Topology, error) {
	p, err := p.checked()
	if err != nil {
		return Topology{}, err
	}
	t := standard(p)
	if p.Scheme == Bunnicula {
		t = bunnicula(p)
	}
	t.Emits = slices.Clone(p.Emits)
	return t.only(p.Mode), nil
}

// only marks or removes the parts that a mode does not declare.
func (t Topology) only(m Mode) Topology {
	for i := range t.Queues {
		if q := &t.Queues[i]; m == Never || m == Satellites && q.Role == RoleMain {
			q.Existing, q.Arguments = true, nil
		}
	}
	if m == Never {
		t.Exchanges, t.Bindings = nil, nil
	}
	return t
}

// Names returns the names of all the queues, the main queue's first.
func (t Topology) Names() []string {
	var names []string
	for _, q := range t.Queues {
		names = append(names, q.Name)
	}
	return names
}

// Equal says whether two topologies are the same, in the same order. Nil arguments equal empty
// ones. Emits does not matter.
func (t Topology) Equal(u Topology) bool {
	return t.Scheme == u.Scheme &&
		slices.Equal(t.Exchanges, u.Exchanges) &&
		slices.EqualFunc(t.Queues, u.Queues, equalQueues) &&
		slices.EqualFunc(t.Bindings, u.Bindings, equalBindings)
}

func equalQueues(a, b Queue) bool {
	return a.Name == b.Name && a.Role == b.Role && a.Delay == b.Delay && a.Existing == b.Existing &&
		equalArguments(a.Arguments, b.Arguments)
}

func equalBindings(a, b Binding) bool {
	return a.Queue == b.Queue && a.Exchange == b.Exchange && a.Key == b.Key &&
		equalArguments(a.Arguments, b.Arguments)
}

func equalArguments(a, b map[string]any) bool {
	return maps.EqualFunc(a, b, func(x, y any) bool { return reflect.DeepEqual(x, y) })
}

// table is the type in which the client library takes arguments.
func table(arguments map[string]any) amqp.Table { return amqp.Table(arguments) }

func (t *Topology) addExchange(e Exchange) {
	if !slices.Contains(t.Exchanges, e) {
		t.Exchanges = append(t.Exchanges, e)
	}
}

func (t *Topology) addBinding(b Binding) {
	if !slices.ContainsFunc(t.Bindings, func(other Binding) bool { return equalBindings(b, other) }) {
		t.Bindings = append(t.Bindings, b)
	}
}
