package inspect

import (
	"fmt"
	"strings"

	"github.com/bunnicula-go/bunnicula/topology"
)

// Mermaid draws topologies as one diagram. Solid lines are moves by the broker, dotted lines are
// copies by consumers, thick lines are what handlers publish. The partitions of a queue are drawn
// as one.
func Mermaid(topologies ...topology.Topology) string {
	g := GraphOf(topologies...)
	var out strings.Builder
	out.WriteString("flowchart LR\n")
	for _, n := range g.Nodes {
		shape := "[[%s]]"
		if n.Kind == ExchangeNode {
			shape = "{{%s}}"
		}
		fmt.Fprintf(&out, "    %s"+shape+"\n", g.mermaidID(n.ID), text(n.Label))
	}
	for _, e := range g.Edges {
		label := e.Label
		if e.Binding {
			label = text(label)
		}
		fmt.Fprintf(&out, "    %s %s|%s| %s\n", g.mermaidID(e.From), lines[e.Mover], label, g.mermaidID(e.To))
	}
	return out.String()
}

var lines = map[Mover]string{ByBroker: "-->", ByConsumer: "-.->", ByHandler: "==>"}

// mermaidID is a letter and a number, because names can contain any character.
func (g Graph) mermaidID(id int) string {
	return fmt.Sprintf("%c%d", map[NodeKind]byte{QueueNode: 'q', ExchangeNode: 'x'}[g.Nodes[id-1].Kind], id)
}

// text quotes s for Mermaid, which knows entities but no backslash.
func text(s string) string {
	return `"` + strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "&", "#amp;").Replace(s) + `"`
}
