package inspect

import (
	"slices"

	"github.com/bunnicula-go/bunnicula/internal/route"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Graph is what topologies say of the ways of messages, from which pictures are made.
type Graph struct {
	Nodes []Node // in the order in which they were met
	Edges []Edge // each once
}

// Node is a queue or an exchange. All partitions of a queue are one node.
type Node struct {
	ID    int // from 1 on
	Kind  NodeKind
	Name  string // of the first queue, if it stands for several
	Label string // what is written on it
	Role  topology.Role
	// Queues are the names of the queues that it stands for. None for an exchange.
	Queues []string
}

// NodeKind says what a Node is.
type NodeKind string

// The kinds of nodes.
const (
	QueueNode    NodeKind = "queue"
	ExchangeNode NodeKind = "exchange"
)

// Edge is a way of messages from one node to another.
type Edge struct {
	From, To int // IDs
	Mover    Mover
	// Label says when: the key of a binding, or why. It is somebody else's text if Binding.
	Label   string
	Binding bool
}

// Mover is who moves messages along an Edge.
type Mover string

// The movers.
const (
	ByBroker   Mover = "broker"
	ByConsumer Mover = "consumer" // copies of a failed message
	ByHandler  Mover = "handler"  // what it emits
)

// GraphOf returns the graph of topologies.
func GraphOf(topologies ...topology.Topology) Graph {
	b := graphBuilder{ids: map[key]int{}, edges: map[Edge]bool{}, labels: labelsOf(topologies)}
	for _, t := range topologies {
		b.declared(t)
		b.paths(t)
	}
	for _, t := range topologies {
		b.emits(t, topologies)
	}
	return b.Graph
}

// graphBuilder makes a Graph.
type graphBuilder struct {
	Graph
	ids    map[key]int       // of the nodes that there are
	edges  map[Edge]bool     // that there are
	labels map[string]string // of queues that share a node
}

// key is what tells nodes apart: the label of a queue, the name of an exchange.
type key struct {
	kind NodeKind
	text string
}

// declared adds the nodes and the bindings.
func (b *graphBuilder) declared(t topology.Topology) {
	for _, e := range t.Exchanges {
		b.exchange(e.Name, e.Kind)
	}
	for _, q := range t.Queues {
		b.queue(q.Name, q.Role)
	}
	for _, bind := range t.Bindings {
		b.edge(Edge{From: b.exchange(bind.Exchange, ""), To: b.queue(bind.Queue, ""), Mover: ByBroker, Label: bind.Key, Binding: true})
	}
}

// paths adds the ways of messages that failed.
func (b *graphBuilder) paths(t topology.Topology) {
	main := b.queue(route.Main(t).Queue, topology.RoleMain)
	for _, q := range t.Queues {
		here := b.queue(q.Name, q.Role)
		to := here
		if t.Scheme == topology.Bunnicula && q.Role != topology.RoleMain {
			to = b.exchange(q.Name, "")
		}
		switch q.Role {
		case topology.RoleRetry:
			b.edge(Edge{From: main, To: to, Mover: ByConsumer, Label: "retry"})
			back := main
			if exchange, _ := q.Arguments["x-dead-letter-exchange"].(string); exchange != "" {
				back = b.exchange(exchange, "")
			}
			b.edge(Edge{From: here, To: back, Mover: ByBroker, Label: "after " + topology.FormatDelay(q.Delay)})
		case topology.RoleQuarantine:
			b.edge(Edge{From: main, To: to, Mover: ByConsumer, Label: "died twice"})
			b.edge(Edge{From: here, To: b.queue(route.Error(t).Queue, topology.RoleError), Mover: ByConsumer, Label: "crashed"})
		case topology.RoleError:
			b.edge(Edge{From: main, To: to, Mover: ByConsumer, Label: "given up"})
		}
		if name, _ := q.Arguments["x-dead-letter-routing-key"].(string); name != "" && q.Role == topology.RoleMain {
			b.edge(Edge{From: here, To: b.queue(name, ""), Mover: ByBroker, Label: "expired, or over the delivery limit"})
		}
	}
}

// emits adds what the handler publishes. A queue of which there are partitions is their node.
func (b *graphBuilder) emits(t topology.Topology, all []topology.Topology) {
	for _, name := range t.Emits {
		for _, other := range all {
			main := route.Main(other).Queue
			if of, _, is := topology.PartitionOf(main); is && of == name {
				name = main
				break
			}
		}
		b.edge(Edge{From: b.queue(route.Main(t).Queue, topology.RoleMain), To: b.queue(name, ""), Mover: ByHandler, Label: "emits"})
	}
}

// edge adds an edge once: a shared error queue has some twice.
func (b *graphBuilder) edge(e Edge) {
	if !b.edges[e] {
		b.edges[e] = true
		b.Edges = append(b.Edges, e)
	}
}

// queue and exchange add a node once, and return its ID.
func (b *graphBuilder) queue(name string, role topology.Role) int {
	label := name
	if of, shared := b.labels[name]; shared {
		label = of
	}
	id := b.node(QueueNode, label, Node{Name: name, Label: label})
	n := &b.Nodes[id-1]
	if n.Role == "" {
		n.Role = role
	}
	if !slices.Contains(n.Queues, name) {
		n.Queues = append(n.Queues, name)
	}
	return id
}

func (b *graphBuilder) exchange(name, kind string) int {
	label := name
	if kind != "" {
		label += " (" + kind + ")"
	}
	return b.node(ExchangeNode, name, Node{Name: name, Label: label})
}

func (b *graphBuilder) node(kind NodeKind, text string, n Node) int {
	id, there := b.ids[key{kind, text}]
	if !there {
		id = len(b.Nodes) + 1
		b.ids[key{kind, text}] = id
		n.ID, n.Kind = id, kind
		b.Nodes = append(b.Nodes, n)
	}
	return id
}
