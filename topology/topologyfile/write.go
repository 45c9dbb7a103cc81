package topologyfile

import (
	"fmt"
	"io"

	"go.yaml.in/yaml/v3"

	"github.com/bunnicula-go/bunnicula/internal/conflicts"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Write writes a file with these plans. All must be for one virtual host. It writes nothing if
// topology.New refuses a plan, or if plans want the same queue.
func Write(w io.Writer, plans ...topology.Plan) error {
	var s shape
	var topologies []topology.Topology
	for _, p := range plans {
		t, err := topology.New(p)
		if err != nil {
			return err
		}
		topologies = append(topologies, t)
		s.Consumers = append(s.Consumers, entryOf(p))
	}
	if err := conflicts.Find(topologies...); err != nil {
		return err
	}
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(s); err != nil {
		return fmt.Errorf("topology file: %w", err)
	}
	return encoder.Close()
}
