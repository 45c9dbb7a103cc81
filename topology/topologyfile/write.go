package topologyfile

import (
	"fmt"
	"io"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/conflicts"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Write writes what the consumers of these Specs declare. All must use one connection, because a file is about
// one virtual host. A Spec that could not start is refused.
func Write(w io.Writer, specs ...consumer.Spec) error {
	var s shape
	var topologies []topology.Topology
	for _, spec := range specs {
		if spec.Connection != specs[0].Connection {
			return fmt.Errorf("topology file: the consumers of %q and %q use the connections %q and %q, want a file for each",
				specs[0].Queue, spec.Queue, specs[0].Connection, spec.Connection)
		}
		p, err := spec.Plan()
		if err != nil {
			return err
		}
		t, err := topology.New(p)
		if err != nil {
			return err
		}
		topologies = append(topologies, t)
		e := entryOf(p)
		e.Concurrency, e.Prefetch = spec.Concurrency, spec.Prefetch
		e.Timeout, e.Grace = duration(spec.Timeout), duration(spec.Grace)
		s.Consumers = append(s.Consumers, e)
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

func (d duration) value() time.Duration { return time.Duration(d) }
