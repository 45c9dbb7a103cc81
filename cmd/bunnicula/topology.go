package main

import "github.com/spf13/cobra"

func topologyCommand(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "topology",
		Short: "Show, compare, declare and prune what consumers declare",
		Long: `Shows, compares, declares and prunes the exchanges, queues and bindings of the
consumers in a topology file:

  consumers:
    - queue: orders
      delays: [10s, 1m]

docs/COMMAND.md has all fields. A Go program writes its own file with
topologyfile.Write and its consumers' Group.Plans.`,
		Example: `  go run ./myapp topology > topology.yml
  bunnicula topology plan --file topology.yml
  bunnicula topology apply --file topology.yml`,
	},
		topologyShow(a),
		topologyPlan(a),
		topologyApply(a),
		topologyPrune(a),
		topologyGraph(a),
	)
}
