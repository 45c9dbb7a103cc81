package topology

import (
	"maps"
	"reflect"
	"slices"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Topology is what [New] made of a [Plan]. It is plain data and holds nothing of
// the plan's memory. The zero Topology declares nothing.
type Topology struct {
	Scheme    Scheme
	Exchanges []Exchange // to be declared
	Queues    []Queue    // the main queue, then the retry queues, the quarantine queue and the error queue
	Bindings  []Binding  // to be made
}

// Exchange is an exchange to be declared.
type Exchange struct {
	Name       string
	Kind       string // the exchange's type, such as "topic"
	Transient  bool   // ends with the broker; the others are durable
	AutoDelete bool   // ends with its last binding
}

// Queue is a queue that must be there, durable and neither exclusive nor deleted
// by itself.
type Queue struct {
	Name string
	Role Role

	// Delay is how long messages wait in a retry queue, and zero for the others.
	Delay time.Duration

	// Existing says that the queue is not declared, only checked to be there. Its
	// arguments are its own.
	Existing bool

	// Arguments are what the queue is declared with. Numbers are int64.
	Arguments map[string]any
}

// Role is what a queue is for.
type Role string

// The roles.
const (
	RoleMain       Role = "main"       // is consumed
	RoleRetry      Role = "retry"      // messages wait in it
	RoleQuarantine Role = "quarantine" // messages that may kill their process wait in it to be handled alone
	RoleError      Role = "error"      // messages are parked in it
)

// Binding binds a queue to an exchange.
type Binding struct {
	Queue     string
	Exchange  string
	Key       string
	Arguments map[string]any
}

// New returns the topology of a plan. It refuses a plan that a broker would
// refuse, that would lose messages, or whose queues would collide; the error
// names the field and its value. It does not see other plans: two of them can still want one
// queue. A consumer.Group and package topologyfile look for that.
func New(p Plan) (Topology, error) {
	p, err := p.checked()
	if err != nil {
		return Topology{}, err
	}
	t := standard(p)
	if p.Scheme == Bunnicula {
		t = bunnicula(p)
	}
	return t.only(p.Mode), nil
}

// only leaves out what a mode does not declare.
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

// Names are the names of all the queues, the main queue's first.
func (t Topology) Names() []string {
	var names []string
	for _, q := range t.Queues {
		names = append(names, q.Name)
	}
	return names
}

// Equal says whether two topologies are the same, in the same order. No arguments
// are the same as empty ones.
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

// table is what the client takes arguments in.
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
