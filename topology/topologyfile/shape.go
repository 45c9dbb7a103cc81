package topologyfile

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/bunnicula-go/bunnicula/topology"
)

// shape is a file in the form that the YAML library reads and writes.
type shape struct {
	Consumers []entry `yaml:"consumers"`
}

// entry is one consumer. Empty fields are not written.
type entry struct {
	Queue        string             `yaml:"queue"`
	Type         topology.QueueType `yaml:"type,omitempty"`
	Delays       []duration         `yaml:"delays,omitempty,flow"`
	ErrorQueue   string             `yaml:"error_queue,omitempty"`
	Bindings     []bind             `yaml:"bindings,omitempty"`
	Arguments    map[string]any     `yaml:"arguments,omitempty"`
	GroupSize    int                `yaml:"group_size,omitempty"`
	SingleActive bool               `yaml:"single_active,omitempty"`
	Mode         mode               `yaml:"mode,omitempty"`
	Scheme       scheme             `yaml:"scheme,omitempty"`
	Emits        []string           `yaml:"emits,omitempty,flow"`
	Concurrency  int                `yaml:"concurrency,omitempty"`
	Prefetch     int                `yaml:"prefetch,omitempty"`
	Timeout      duration           `yaml:"timeout,omitempty"`
	Grace        duration           `yaml:"grace,omitempty"`
}

type bind struct {
	Exchange  string         `yaml:"exchange"`
	Kind      string         `yaml:"kind,omitempty"`
	Keys      []string       `yaml:"keys,omitempty,flow"`
	Arguments map[string]any `yaml:"arguments,omitempty"`
}

func (e entry) plan() topology.Plan {
	p := topology.Plan{
		Queue: e.Queue, Type: e.Type, ErrorQueue: e.ErrorQueue, Arguments: e.Arguments, GroupSize: e.GroupSize,
		SingleActive: e.SingleActive, Mode: topology.Mode(e.Mode), Scheme: topology.Scheme(e.Scheme), Emits: e.Emits,
	}
	for _, d := range e.Delays {
		p.Delays = append(p.Delays, time.Duration(d))
	}
	for _, b := range e.Bindings {
		p.Bindings = append(p.Bindings, topology.Bind(b))
	}
	return p
}

func entryOf(p topology.Plan) entry {
	e := entry{
		Queue: p.Queue, Type: p.Type, ErrorQueue: p.ErrorQueue, Arguments: p.Arguments, GroupSize: p.GroupSize,
		SingleActive: p.SingleActive, Mode: mode(p.Mode), Scheme: scheme(p.Scheme), Emits: p.Emits,
	}
	for _, d := range p.Delays {
		e.Delays = append(e.Delays, duration(d))
	}
	for _, b := range p.Bindings {
		e.Bindings = append(e.Bindings, bind(b))
	}
	return e
}

// duration is written as Go writes it. A negative duration is "none".
type duration time.Duration

func (d duration) value() time.Duration { return time.Duration(d) }

// UnmarshalYAML implements yaml.Unmarshaler.
func (d *duration) UnmarshalYAML(n *yaml.Node) error {
	if n.Value == "none" {
		*d = -1
		return nil
	}
	parsed, err := time.ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || parsed < 0 {
		return fmt.Errorf("line %d: %q is not a duration such as 500ms, 10s or 1h", n.Line, n.Value)
	}
	*d = duration(parsed)
	return nil
}

// MarshalYAML implements yaml.Marshaler.
func (d duration) MarshalYAML() (any, error) {
	if d < 0 {
		return "none", nil
	}
	return topology.FormatDelay(time.Duration(d)), nil
}

type mode topology.Mode

var modes = []string{"all", "satellites", "never"}

// UnmarshalYAML implements yaml.Unmarshaler.
func (m *mode) UnmarshalYAML(n *yaml.Node) error { return choose(m, n, modes) }

// MarshalYAML implements yaml.Marshaler.
func (m mode) MarshalYAML() (any, error) { return modes[m], nil }

type scheme topology.Scheme

var schemes = []string{"standard", "bunnicula"}

// UnmarshalYAML implements yaml.Unmarshaler.
func (s *scheme) UnmarshalYAML(n *yaml.Node) error { return choose(s, n, schemes) }

// MarshalYAML implements yaml.Marshaler.
func (s scheme) MarshalYAML() (any, error) { return schemes[s], nil }

func choose[T ~int](v *T, n *yaml.Node, names []string) error {
	for i, name := range names {
		if n.Value == name {
			*v = T(i)
			return nil
		}
	}
	return fmt.Errorf("line %d: %q is none of %s", n.Line, n.Value, strings.Join(names, ", "))
}
