package console

import (
	"slices"
	"strings"

	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/topology"
)

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
	rowCount  = 6
)

// pictureOf places the nodes: a block for each main queue, one beside the other, with the rows of
// its queues.
func pictureOf(g inspect.Graph, depths map[int]*int) picture {
	blocks := blocksOf(g)
	p := picture{Height: boxGap / 2}
	tops := make([]int, rowCount) // of the rows
	for row := range tops {
		tops[row] = p.Height
		if slices.ContainsFunc(blocks, func(b block) bool { return len(b[row]) > 0 }) {
			p.Height += boxHeight + rowGap
		}
	}
	p.Height -= rowGap - boxGap/2
	at := map[int]box{}
	left := boxGap
	for _, block := range blocks {
		columns := 0
		for row, nodes := range block {
			columns = max(columns, len(nodes))
			for i, n := range nodes {
				b := box{X: left + i*(boxWidth+boxGap), Y: tops[row], Class: "node " + string(n.Kind) + " role-" + roleClass(n), Label: n.Label}
				if d := depths[n.ID]; d != nil {
					b.Depth = view{}.Count(*d)
				}
				at[n.ID] = b
				p.Boxes = append(p.Boxes, b)
			}
		}
		left += columns * (boxWidth + boxGap)
	}
	p.Width = left
	for _, e := range g.Edges {
		if e.From != e.To {
			p.Lines = append(p.Lines, lineOf(at[e.From], at[e.To], e))
		}
	}
	return p
}

// block is what belongs to one main queue, by rows.
type block [rowCount][]inspect.Node

// blocksOf gives each node to the first main queue from which ways lead to it, or that ways from it
// lead to, past no other main queue. What belongs to none has the last block.
func blocksOf(g inspect.Graph) []block {
	near := map[int][]int{}
	for _, e := range g.Edges {
		near[e.From] = append(near[e.From], e.To)
		near[e.To] = append(near[e.To], e.From)
	}
	owner := map[int]int{} // the block of a node
	var mains []int
	for _, n := range g.Nodes {
		if n.Role == topology.RoleMain {
			owner[n.ID] = len(mains)
			mains = append(mains, n.ID)
		}
	}
	for i, main := range mains {
		for next := []int{main}; len(next) > 0; next = next[1:] {
			for _, id := range near[next[0]] {
				if _, is := owner[id]; !is {
					owner[id] = i
					next = append(next, id)
				}
			}
		}
	}
	all := make([]block, len(mains)+1)
	for _, n := range g.Nodes {
		i, is := owner[n.ID]
		if !is {
			i = len(mains)
		}
		all[i][rowOf(n)] = append(all[i][rowOf(n)], n)
	}
	return all
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
