package console

import (
	"net/http"

	"github.com/bunnicula-go/bunnicula/internal/inspect"
)

// topologyData is what the page of the topology shows.
type topologyData struct {
	Picture picture
	Nodes   []nodeRow
	Edges   []edgeRow
	At      moment
	Problem string
}

type nodeRow struct {
	Kind, Label, Role string
	Ready             *int
	Link              string
}

type edgeRow struct{ From, To, Label, By string }

// topology draws the consumers of the topology file.
func (a *answer) topology() {
	v := a.view()
	l := a.console.broker.look(a.r.Context())
	ready := map[string]*int{}
	for _, s := range l.consumers {
		for _, q := range s.Queues {
			ready[q.Queue] = q.Ready
		}
	}
	d := topologyData{At: v.Time(l.at)}
	if l.err != nil {
		d.Problem = l.err.Error()
	}
	g := a.seen(inspect.GraphOf(a.console.cfg.Topology.Topologies()...))
	labels := map[int]string{}
	depths := map[int]*int{}
	for _, n := range g.Nodes {
		row := nodeRow{Kind: string(n.Kind), Label: n.Label, Role: string(n.Role), Ready: sum(ready, n.Queues)}
		if n.Role == "error" && a.user.may(See, n.Name) {
			row.Link = v.Link("q", n.Name)
		}
		d.Nodes = append(d.Nodes, row)
		labels[n.ID], depths[n.ID] = n.Label, row.Ready
	}
	for _, e := range g.Edges {
		d.Edges = append(d.Edges, edgeRow{labels[e.From], labels[e.To], e.Label, string(e.Mover)})
	}
	d.Picture = pictureOf(g, depths)
	a.show(http.StatusOK, "topology", page{Title: "Topology", Here: "topology", Every: 5, Command: commandLine("topology", "graph", "--file", "topology.yml"), Data: d, view: v})
}

// seen leaves out the queues that the viewer may not see, and the ways from and to them.
func (a *answer) seen(g inspect.Graph) inspect.Graph {
	var out inspect.Graph
	there := map[int]bool{}
	for _, n := range g.Nodes {
		if n.Kind == inspect.ExchangeNode || a.user.may(See, n.Name) {
			out.Nodes = append(out.Nodes, n)
			there[n.ID] = true
		}
	}
	for _, e := range g.Edges {
		if there[e.From] && there[e.To] {
			out.Edges = append(out.Edges, e)
		}
	}
	return out
}

// sum adds the ready messages of queues, nil if those of one are unknown.
func sum(ready map[string]*int, queues []string) *int {
	if len(queues) == 0 {
		return nil
	}
	total := 0
	for _, q := range queues {
		n := ready[q]
		if n == nil {
			return nil
		}
		total += *n
	}
	return &total
}
