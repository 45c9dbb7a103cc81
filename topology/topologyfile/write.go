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
	if _, err := Of(plans...); err != nil {
		return err
	}
	var s shape
	for _, p := range plans {
		s.Consumers = append(s.Consumers, entryOf(p))
	}
	encoder := yaml.NewEncoder(w)
	encoder.SetIndent(2)
	if err := encoder.Encode(s); err != nil {
		return fmt.Errorf("topology file: %w", err)
	}
	return encoder.Close()
}

// Of makes a File of plans without a file, for an app that shows its own consumers:
// console.Config.Topology takes it of what consumer.Group.Plans returns. It refuses what Write
// refuses.
func Of(plans ...topology.Plan) (File, error) {
	var f File
	for _, p := range plans {
		t, err := topology.New(p)
		if err != nil {
			return File{}, err
		}
		f.Consumers = append(f.Consumers, Consumer{Plan: p, Topology: t})
	}
	if err := conflicts.Find(f.Topologies()...); err != nil {
		return File{}, err
	}
	return f, nil
}
