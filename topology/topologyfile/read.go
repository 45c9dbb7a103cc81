package topologyfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/bunnicula-go/bunnicula/internal/conflicts"
	"github.com/bunnicula-go/bunnicula/topology"
)

// ReadFile reads the file of this name.
func ReadFile(name string) (File, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return File{}, fmt.Errorf("topology file: %w", err)
	}
	return Parse(name, text)
}

// Read reads a file from r. Its errors begin with name.
func Read(name string, r io.Reader) (File, error) {
	text, err := io.ReadAll(r)
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", name, err)
	}
	return Parse(name, text)
}

// Parse reads the text of a file. It refuses plans that topology.New refuses, and consumers that
// want the same queue. An error has the name, the line, the field and the reason.
func Parse(name string, text []byte) (File, error) {
	var s shape
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&s); err != nil && !errors.Is(err, io.EOF) {
		return File{}, fmt.Errorf("%s: %w", name, plain(err))
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return File{}, fmt.Errorf("%s: there is more than one document in it, want one", name)
	}
	if len(s.Consumers) == 0 {
		return File{}, fmt.Errorf("%s: consumers is empty, want a list that has a queue in each entry", name)
	}
	f := File{}
	lines := linesOf(text, len(s.Consumers))
	for i, e := range s.Consumers {
		c := Consumer{
			Plan: e.plan(), Concurrency: e.Concurrency, Prefetch: e.Prefetch,
			Timeout: e.Timeout.value(), Grace: e.Grace.value(), Line: lines[i],
		}
		t, err := c.checked()
		if err != nil {
			return File{}, fmt.Errorf("%s: line %d: %w", name, c.Line, err)
		}
		c.Topology = t
		f.Consumers = append(f.Consumers, c)
	}
	if err := conflicts.Find(f.Topologies()...); err != nil {
		return File{}, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

func (c Consumer) checked() (topology.Topology, error) {
	for _, n := range []struct {
		name  string
		value int
	}{{"concurrency", c.Concurrency}, {"prefetch", c.Prefetch}} {
		if n.value < 0 || n.value > 65535 {
			return topology.Topology{}, fmt.Errorf("queue %q: %s is %d, want 1 to 65535", c.Plan.Queue, n.name, n.value)
		}
	}
	if c.Grace < 0 {
		return topology.Topology{}, fmt.Errorf("queue %q: grace is none, want a duration", c.Plan.Queue)
	}
	return topology.New(c.Plan)
}

// linesOf returns the first line of each of the n consumers.
func linesOf(text []byte, n int) []int {
	lines := make([]int, n)
	var root yaml.Node
	if yaml.Unmarshal(text, &root) != nil || len(root.Content) == 0 {
		return lines
	}
	top := root.Content[0]
	for i := 0; i+1 < len(top.Content); i += 2 {
		list := top.Content[i+1]
		if list.Kind == yaml.AliasNode {
			list = list.Alias
		}
		if top.Content[i].Value != "consumers" || len(list.Content) != n {
			continue
		}
		for j, entry := range list.Content {
			lines[j] = entry.Line
		}
	}
	return lines
}

// These match the YAML library's errors about unknown fields and wrong types.
var (
	unknownField = regexp.MustCompile(`field (\S+) not found in type \S+`)
	wrongType    = regexp.MustCompile(`cannot unmarshal !!(\w+) (?:(.*) )?into \S+`)
)

// plain rewrites the YAML library's errors: the author of the file does not know our Go types.
func plain(err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	text = strings.TrimPrefix(text, "unmarshal errors:\n  ")
	text = unknownField.ReplaceAllString(text, `there is no field "$1"`)
	text = wrongType.ReplaceAllString(text, "$2 is of the wrong type ($1)")
	return errors.New(strings.ReplaceAll(text, "\n  ", "; "))
}
