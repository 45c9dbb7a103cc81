package console

import (
	"net/http"
	"strings"

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

// picture is a topology with a place for each node: rows for exchanges, main queues, and so on.
type picture struct {
	Width, Height int
	Boxes         []box
	Lines         []line
}

type box struct {
	X, Y  int // of the left upper corner
	Class string
	Label string
	Depth string
}

type line struct {
	X1, Y1, X2, Y2 int
	Bend           int // to the left, in the middle; 0 is a straight line
	Class          string
	Label          string
}

const (
	boxWidth  = 220
	boxHeight = 44
	boxGap    = 44
	rowGap    = 52
)

// pictureOf places the nodes.
func pictureOf(g inspect.Graph, depths map[int]*int) picture {
	rows := make([][]inspect.Node, 6)
	for _, n := range g.Nodes {
		i := rowOf(n)
		rows[i] = append(rows[i], n)
	}
	p := picture{}
	at := map[int]box{}
	for _, row := range rows {
		if len(row) == 0 {
			continue
		}
		for i, n := range row {
			b := box{X: boxGap + i*(boxWidth+boxGap), Y: boxGap/2 + p.Height, Class: "node " + string(n.Kind) + " role-" + roleClass(n), Label: n.Label}
			if d := depths[n.ID]; d != nil {
				b.Depth = view{}.Count(*d)
			}
			at[n.ID] = b
			p.Boxes = append(p.Boxes, b)
			p.Width = max(p.Width, b.X+boxWidth+boxGap)
		}
		p.Height += boxHeight + rowGap
	}
	for _, e := range g.Edges {
		if e.From != e.To {
			p.Lines = append(p.Lines, lineOf(at[e.From], at[e.To], e))
		}
	}
	return p
}

// lineOf leads from one box to another, down at the left and up at the right, so that a way and the
// way back are two lines.
func lineOf(from, to box, e inspect.Edge) line {
	l := line{Class: "edge by-" + moverClass(e.Mover), Label: e.Label, X1: from.X + boxWidth/3, X2: to.X + boxWidth/3}
	switch rows := (to.Y - from.Y) / (boxHeight + rowGap); {
	case rows > 1: // past the boxes between them
		l.X1, l.Y1, l.X2, l.Y2 = from.X, from.Y+boxHeight/2, to.X, to.Y+boxHeight/2
		l.Bend = 22 + 10*min(rows, 3)
	case from.Y < to.Y:
		l.Y1, l.Y2 = from.Y+boxHeight, to.Y
	case from.Y > to.Y:
		l.X1, l.X2 = from.X+2*boxWidth/3, to.X+2*boxWidth/3
		l.Y1, l.Y2 = from.Y, to.Y+boxHeight
	default:
		l.Y1, l.Y2 = from.Y+boxHeight/2, to.Y+boxHeight/2
		l.X1, l.X2 = from.X+boxWidth, to.X
		if from.X > to.X {
			l.X1, l.X2 = from.X, to.X+boxWidth
		}
	}
	return l
}

func rowOf(n inspect.Node) int {
	switch {
	case n.Kind == inspect.ExchangeNode:
		return 0
	case n.Role == "main":
		return 1
	case n.Role == "retry":
		return 2
	case n.Role == "quarantine":
		return 3
	case n.Role == "error":
		return 4
	}
	return 5
}

// roleClass and moverClass are ours, whatever the values are.
func roleClass(n inspect.Node) string {
	return []string{"exchange", "main", "retry", "quarantine", "error", "other"}[rowOf(n)]
}

func moverClass(m inspect.Mover) string {
	switch m {
	case inspect.ByBroker:
		return "broker"
	case inspect.ByConsumer:
		return "consumer"
	}
	return "handler"
}

// cut shortens a label for a box.
func cut(label string, n int) string {
	runes := []rune(strings.ToValidUTF8(label, "·"))
	if len(runes) <= n {
		return string(runes)
	}
	return string(runes[:n/2]) + "…" + string(runes[len(runes)-n/2+1:])
}
