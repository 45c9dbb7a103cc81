package inspect

import (
	"fmt"
	"strings"

	"github.com/bunnicula-go/bunnicula/internal/route"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Mermaid draws topologies as one diagram. Solid lines are moves by the broker, dotted lines are
// copies by consumers, thick lines are what handlers publish. The partitions of a queue are drawn as one.
func Mermaid(topologies ...topology.Topology) string {
	d := diagram{ids: map[string]string{}, lines: map[string]bool{}, labels: labelsOf(topologies)}
	d.out.WriteString("flowchart LR\n")
	for _, t := range topologies {
		for _, e := range t.Exchanges {
			d.exchange(e.Name, e.Kind)
		}
		for _, q := range t.Queues {
			d.queue(q.Name)
		}
		for _, b := range t.Bindings {
			d.line("%s -->|%s| %s", d.exchange(b.Exchange, ""), text(b.Key), d.queue(b.Queue))
		}
		d.paths(t)
	}
	for _, t := range topologies {
		d.emits(t, topologies)
	}
	return d.out.String()
}

// emits draws what the handler publishes. A queue of which there are partitions is their box.
func (d *diagram) emits(t topology.Topology, all []topology.Topology) {
	for _, name := range t.Emits {
		for _, other := range all {
			main := route.Main(other).Queue
			if of, _, is := topology.PartitionOf(main); is && of == name {
				name = main
				break
			}
		}
		d.line("%s ==>|emits| %s", d.queue(route.Main(t).Queue), d.queue(name))
	}
}

// paths draws the paths of messages that failed.
func (d *diagram) paths(t topology.Topology) {
	main := d.queue(route.Main(t).Queue)
	for _, q := range t.Queues {
		here := d.queue(q.Name)
		to := here
		if t.Scheme == topology.Bunnicula && q.Role != topology.RoleMain {
			to = d.exchange(q.Name, "")
		}
		switch q.Role {
		case topology.RoleRetry:
			d.line("%s -.->|retry| %s", main, to)
			back := main
			if exchange, _ := q.Arguments["x-dead-letter-exchange"].(string); exchange != "" {
				back = d.exchange(exchange, "")
			}
			d.line("%s -->|after %s| %s", here, topology.FormatDelay(q.Delay), back)
		case topology.RoleQuarantine:
			d.line("%s -.->|died twice| %s", main, to)
			d.line("%s -.->|crashed| %s", here, d.queue(route.Error(t).Queue))
		case topology.RoleError:
			d.line("%s -.->|given up| %s", main, to)
		}
		if key, _ := q.Arguments["x-dead-letter-routing-key"].(string); key != "" && q.Role == topology.RoleMain {
			d.line("%s -->|expired, or over the delivery limit| %s", here, d.queue(key))
		}
	}
}

type diagram struct {
	out    strings.Builder
	ids    map[string]string // by the name of the node
	lines  map[string]bool   // lines that are drawn: shared error queues and partitions have some twice
	labels map[string]string // of queues that are drawn in one box with others
}

func (d *diagram) line(format string, args ...any) {
	line := "    " + fmt.Sprintf(format, args...) + "\n"
	if !d.lines[line] {
		d.lines[line] = true
		d.out.WriteString(line)
	}
}

// queue and exchange draw a node once and return its id. Ids are numbers, because names can contain
// any character.
func (d *diagram) queue(name string) string {
	if label, ok := d.labels[name]; ok {
		name = label
	}
	return d.node("q", name, "[[%s]]", name)
}

func (d *diagram) exchange(name, kind string) string {
	label := name
	if kind != "" {
		label += " (" + kind + ")"
	}
	return d.node("x", name, "{{%s}}", label)
}

func (d *diagram) node(letter, name, shape, label string) string {
	id, drawn := d.ids[letter+name]
	if !drawn {
		id = fmt.Sprintf("%s%d", letter, len(d.ids)+1)
		d.ids[letter+name] = id
		d.line("%s"+shape, id, text(label))
	}
	return id
}

// text quotes s for Mermaid, which knows entities but no backslash.
func text(s string) string {
	return `"` + strings.NewReplacer("#", "#35;", `"`, "#quot;", "<", "#lt;", ">", "#gt;", "&", "#amp;").Replace(s) + `"`
}
