package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

func topologyPlan(a *app) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Compare a topology file with the broker",
		Long: `Compares a topology file with the broker, and changes nothing:

  =  is there, and is the same
  +  is not there: apply declares it
  !  is there and differs, or must be there and is not: apply would end with an error
  ?  cannot be told: apply tries it
  *  is bound beside what the file has: apply leaves it

A queue is compared by the broker itself, by a declaration that can never succeed.
It names the first argument that differs; the management API shows them all, and
which bindings there are. A binding with other arguments is another binding: the
old one stays until somebody removes it. To compare takes the permission to
configure a queue.

Exit code 3 says that apply would declare something, or be refused.`,
		Example: `  bunnicula topology plan --file topology.yml
  bunnicula topology plan --file topology.yml --json | jq '.changes[] | select(.action != "same")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := a.read(file)
			if err != nil {
				return err
			}
			return a.inspecting(cmd.Context(), func(b *inspect.Broker) error {
				return a.within(cmd.Context(), func(ctx context.Context) error {
					r, err := a.plan(ctx, b, f)
					if err != nil {
						return err
					}
					if err := a.printPlan(r); err != nil {
						return err
					}
					if inspect.Blocked(r.Changes) || inspect.CountOf(r.Changes, inspect.Create) > 0 {
						return found()
					}
					return nil
				})
			})
		},
	}
	fileFlag(cmd, &file)
	return cmd
}

// planReport is what --json prints.
type planReport struct {
	Broker  string           `json:"broker"`
	Changes []inspect.Change `json:"changes"`
}

func (a *app) plan(ctx context.Context, b *inspect.Broker, f topologyfile.File) (planReport, error) {
	peer, err := b.Peer(ctx)
	if err != nil {
		return planReport{}, err
	}
	known, err := a.known(ctx, b)
	if err != nil {
		return planReport{}, err
	}
	changes, err := b.Plan(ctx, known, f.Topologies()...)
	return planReport{Broker: where(peer), Changes: changes}, err
}

// signs are the symbol of each action and the word for its sum.
var signs = []struct {
	action      inspect.Action
	sign, color string
	sum         string
}{
	{inspect.Keep, "=", "", "there"},
	{inspect.Create, "+", green, "to create"},
	{inspect.Refused, "!", red, "different"},
	{inspect.Lacking, "!", red, "missing"},
	{inspect.Unasked, "?", yellow, "unknown"},
	{inspect.Beyond, "*", yellow, "beyond the file"},
}

func (a *app) printPlan(r planReport) error {
	if a.json {
		return a.printJSON(r, false)
	}
	fmt.Fprintln(a.out, r.Broker)
	for _, c := range r.Changes {
		a.printChange(c)
	}
	var sums []string
	for _, s := range signs {
		if n := inspect.CountOf(r.Changes, s.action); n > 0 {
			sums = append(sums, fmt.Sprintf("%d %s", n, s.sum))
		}
	}
	fmt.Fprintln(a.out, strings.Join(sums, ", "))
	return nil
}

func (a *app) printChange(c inspect.Change) {
	line := fmt.Sprintf("%-8s  %s", c.What, c.Name)
	if c.What == "binding" {
		line += fmt.Sprintf(" <- %s %q", c.Exchange, c.Key)
		for _, name := range slices.Sorted(maps.Keys(c.Arguments)) {
			line += fmt.Sprintf(" %s=%v", name, c.Arguments[name])
		}
	}
	for _, s := range signs {
		if s.action == c.Action {
			fmt.Fprintln(a.out, a.paint(s.color, s.sign)+" "+plain(line))
		}
	}
	const indent = "            "
	for _, d := range c.Differences {
		fmt.Fprintln(a.out, indent+plain(fmt.Sprintf("%s is %s, want %s", d.Argument, orUnknown(d.Existing), orUnknown(d.Wanted))))
	}
	for _, problem := range c.Problems {
		fmt.Fprintln(a.out, fold(problem, indent))
	}
	for _, text := range []string{c.Problem, c.Remedy} {
		if text != "" {
			fmt.Fprintln(a.out, fold(text, indent))
		}
	}
}

func orUnknown(value string) string {
	if value == "" {
		return "something else"
	}
	return value
}
