//go:build unix

package faults_test

import (
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// nodeLinks returns the links to one node of the cluster. Each client has one link for each node.
func (s *stage) nodeLinks(node *amqptest.Broker) links {
	at := slices.Index(s.cluster.Nodes, node)
	l := links{t: s.t}
	for _, lane := range s.lanes {
		l.all = append(l.all, lane.links[at])
		for _, slot := range lane.slots {
			l.all = append(l.all, slot.links[at])
		}
	}
	return l
}

// connections returns how many connections go through the links.
func (l links) connections() int {
	n := 0
	for _, p := range l.all {
		n += p.Connections()
	}
	return n
}

// without ends a node, and waits until all lanes work again with the other two nodes. Then it
// starts the node again. It is a fault, which is over when the node has ended.
func (s *stage) without(node *amqptest.Broker, end func()) {
	s.t.Helper()
	s.fault(func() {
		s.nodeLinks(node).refuse() // as the port of a host without a broker does
		end()
	})
	node.Start()
	s.nodeLinks(node).accept()
	s.complete()
}

// complete waits until every quorum queue has all its members again. Otherwise the end of the next
// node could leave a queue without a majority.
func (s *stage) complete() {
	s.t.Helper()
	amqptest.Eventually(s.t, time.Minute, func() bool {
		s.t.Helper()
		for line := range strings.Lines(s.cluster.Nodes[0].Ctl("-q", "list_queues", "name", "online")) {
			if strings.HasPrefix(line, "faults-") && strings.Count(line, "@") < len(s.cluster.Nodes) {
				return false
			}
		}
		return true
	}, "a queue lacks a member")
}

// moveAll makes every client connect to one node. For clients of other nodes it is a fault.
func (s *stage) moveAll(here *amqptest.Broker) {
	s.t.Helper()
	away := links{t: s.t}
	for _, node := range s.cluster.Nodes {
		if node != here {
			away.all = append(away.all, s.nodeLinks(node).all...)
		}
	}
	away.refuse()
	if away.connections() > 0 {
		s.fault(away.cut)
	}
	if here, there := s.nodeLinks(here).connections(), away.connections(); there > 0 || here == 0 {
		s.t.Errorf("%d connections go to the node, and %d to others", here, there)
	}
	away.accept()
}

// leader returns the node that leads the main queue of the first lane.
func (s *stage) leader() *amqptest.Broker {
	s.t.Helper()
	return s.cluster.Leader(s.lanes[0].specs[0].Queue)
}

// other returns another node than this one.
func (s *stage) other(node *amqptest.Broker) *amqptest.Broker {
	i := slices.Index(s.cluster.Nodes, node)
	return s.cluster.Nodes[(i+1)%len(s.cluster.Nodes)]
}
