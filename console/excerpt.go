package console

import (
	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

// excerpt draws the part of the topology that is the consumer's.
func (a *answer) excerpt(l *look, queue string) (picture, []edgeRow) {
	var own []topology.Topology
	file := a.console.cfg.Topology.Topologies()
	for _, t := range file {
		if ofQueue(queue, inspect.FromTopology(t).Name) {
			own = append(own, t)
		}
	}
	for _, s := range l.consumers {
		if c, err := guessed(s); err == nil && len(file) == 0 && ofQueue(queue, s.Consumer) {
			own = append(own, c.Topology)
		}
	}
	g := a.seen(inspect.GraphOf(own...))
	ready := map[string]*int{}
	for _, s := range l.consumers {
		for _, q := range s.Queues {
			ready[q.Queue] = q.Ready
		}
	}
	labels, depths := map[int]string{}, map[int]*int{}
	for _, n := range g.Nodes {
		labels[n.ID], depths[n.ID] = n.Label, sum(ready, n.Queues)
	}
	var ways []edgeRow
	for _, e := range g.Edges {
		ways = append(ways, edgeRow{labels[e.From], labels[e.To], e.Label, string(e.Mover)})
	}
	return pictureOf(g, depths), ways
}

// guessed is a consumer of which only the queues are known.
func guessed(s inspect.Status) (topologyfile.Consumer, error) {
	plan := topology.Plan{Queue: s.Consumer}
	for _, q := range s.Queues {
		if d, err := inspect.ParseDelay(q.Delay); err == nil && q.Role == topology.RoleRetry {
			plan.Delays = append(plan.Delays, d)
		}
	}
	t, err := topology.New(plan)
	return topologyfile.Consumer{Plan: plan, Topology: t}, err
}
