package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

func topologyShow(a *app) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Print what a topology file declares",
		Long:  "Prints what a topology file declares. Takes no broker.",
		Example: `  bunnicula topology show --file topology.yml
  go run ./myapp topology | bunnicula topology show --file -`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			f, err := a.read(file)
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(shown(f), false)
			}
			for i, t := range f.Topologies() {
				if i > 0 {
					fmt.Fprintln(a.out)
				}
				fmt.Fprintln(a.out, t)
			}
			return nil
		},
	}
	fileFlag(cmd, &file)
	return cmd
}

// The JSON of --json.
type (
	shownConsumer struct {
		Consumer  string          `json:"consumer"`
		Scheme    string          `json:"scheme"`
		Mode      string          `json:"mode"`
		Exchanges []shownExchange `json:"exchanges"`
		Queues    []shownQueue    `json:"queues"`
		Bindings  []shownBinding  `json:"bindings"`
	}
	shownExchange struct {
		Name       string `json:"name"`
		Kind       string `json:"kind"`
		Durable    bool   `json:"durable"`
		AutoDelete bool   `json:"auto_delete"`
	}
	shownQueue struct {
		Name      string         `json:"name"`
		Role      topology.Role  `json:"role"`
		Delay     string         `json:"delay,omitempty"`
		Declared  bool           `json:"declared"` // otherwise it must exist
		Arguments map[string]any `json:"arguments"`
	}
	shownBinding struct {
		Queue     string         `json:"queue"`
		Exchange  string         `json:"exchange"`
		Key       string         `json:"key"`
		Arguments map[string]any `json:"arguments"`
	}
)

func shown(f topologyfile.File) map[string][]shownConsumer {
	all := []shownConsumer{}
	for _, c := range f.Consumers {
		s := shownConsumer{
			Consumer: c.Plan.Queue,
			Scheme:   map[topology.Scheme]string{topology.Standard: "standard", topology.Bunnicula: "bunnicula"}[c.Plan.Scheme],
			Mode:     map[topology.Mode]string{topology.All: "all", topology.Satellites: "satellites", topology.Never: "never"}[c.Plan.Mode],

			Exchanges: []shownExchange{}, Queues: []shownQueue{}, Bindings: []shownBinding{},
		}
		for _, e := range c.Topology.Exchanges {
			s.Exchanges = append(s.Exchanges, shownExchange{e.Name, e.Kind, !e.Transient, e.AutoDelete})
		}
		for _, q := range c.Topology.Queues {
			one := shownQueue{Name: q.Name, Role: q.Role, Declared: !q.Existing, Arguments: q.Arguments}
			if q.Delay > 0 {
				one.Delay = topology.FormatDelay(q.Delay)
			}
			s.Queues = append(s.Queues, one)
		}
		for _, b := range c.Topology.Bindings {
			s.Bindings = append(s.Bindings, shownBinding(b))
		}
		all = append(all, s)
	}
	return map[string][]shownConsumer{"consumers": all}
}
