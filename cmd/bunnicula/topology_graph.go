package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/internal/inspect"
)

func topologyGraph(a *app) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "graph",
		Short: "Print a topology file as a Mermaid diagram",
		Long: `Prints what a topology file declares as a Mermaid diagram, which GitHub and others draw.
Solid lines are what the broker moves, dotted ones what consumers copy. Takes no broker.`,
		Example: `  bunnicula topology graph --file topology.yml > topology.mmd
  go run ./myapp topology | bunnicula topology graph --file -`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			f, err := a.read(file)
			if err != nil {
				return err
			}
			text := inspect.Mermaid(f.Topologies()...)
			if a.json {
				return a.printJSON(map[string]string{"mermaid": text}, false)
			}
			fmt.Fprint(a.out, text)
			return nil
		},
	}
	fileFlag(cmd, &file)
	return cmd
}
