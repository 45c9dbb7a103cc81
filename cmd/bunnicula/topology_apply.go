package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

func topologyApply(a *app) *cobra.Command {
	var file string
	var yes bool
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Declare what is in a topology file",
		Long: `Declares the exchanges, queues and bindings of a topology file that are not there.
Nothing that is there is changed, and nothing is deleted. It shows its plan and asks
first. If anything differs it declares nothing, and ends with exit code 3.`,
		Example: `  bunnicula topology apply --file topology.yml
  bunnicula topology apply --file topology.yml --yes   # in a deployment's job`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := a.read(file)
			if err != nil {
				return err
			}
			if err := a.mayChange("topology apply"); err != nil {
				return err
			}
			return a.inspecting(cmd.Context(), func(b *inspect.Broker) error { return a.apply(cmd.Context(), b, f, yes) })
		},
	}
	fileFlag(cmd, &file)
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func (a *app) apply(ctx context.Context, b *inspect.Broker, f topologyfile.File, yes bool) error {
	var r planReport
	err := a.within(ctx, func(ctx context.Context) (err error) {
		r, err = a.plan(ctx, b, f)
		return err
	})
	if err != nil {
		return err
	}
	if err := a.printPlan(r); err != nil {
		return err
	}
	create, unknown := inspect.CountOf(r.Changes, inspect.Create), inspect.CountOf(r.Changes, inspect.Unasked)
	switch {
	case inspect.Blocked(r.Changes):
		return &exitError{exitFound, errors.New("nothing was declared, because of what is marked with !")}
	case create+unknown == 0:
		return nil
	}
	if err := a.confirm(fmt.Sprintf("Declare %d, at %s?", create+unknown, r.Broker), yes); err != nil {
		return err
	}
	// Each has a timeout of its own: the wait for the person's answer does not count.
	for _, t := range f.Topologies() {
		if err := a.within(ctx, func(ctx context.Context) error { return b.Declare(ctx, t) }); err != nil {
			return err
		}
	}
	if !a.json {
		fmt.Fprintln(a.out, "declared")
	}
	return nil
}
