package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/control"
)

func controlLs(a *app) *cobra.Command {
	var o fleetOptions
	var each bool
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List the orders that stand, who gave them, until when, and who obeys",
		Long: `Lists the orders that stand: for which consumer, what, until when, by whom and why.
OBEYED is in how many of the processes that have the consumer. Below are those that do
not obey, and why, and those that may miss orders. Of a partition and the queue that it
is of, the newest order counts. A process that does not answer in time is not known: a
broker does not tell who reads a stream.

--processes lists the processes too, with their consumers. Exit code 3 says that a
process does not obey, or may miss orders, or that processes could not be asked.`,
		Example: `  bunnicula control ls
  bunnicula control ls --processes
  bunnicula control ls --json | jq -r '.orders[] | select(.until == null).consumer'`,
		Args: want(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(nil); err != nil {
				return err
			}
			var r listReport
			err := a.withFleet(cmd.Context(), o.stream, false, func(f fleet) error {
				return a.within(cmd.Context(), func(ctx context.Context) (err error) {
					r, err = listOrders(ctx, f, o.wait)
					return err
				})
			})
			var none *noStreamError
			if errors.As(err, &none) {
				return a.noOrders(none)
			} else if err != nil {
				return err
			}
			return a.printOrders(r, each)
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().BoolVarP(&each, "processes", "p", false, "a line for each process and consumer too")
	o.addTo(cmd)
	return cmd
}

// listReport is what stands, and who obeys.
type listReport struct {
	at        time.Time
	orders    []control.Order
	heeds     []heed // of the orders
	processes []control.Process
	unasked   error // who obeys is unknown: this user may not ask
}

// listShown is what --json prints.
type listShown struct {
	At        time.Time      `json:"at"`
	Orders    []orderShown   `json:"orders"`
	Processes []processShown `json:"processes"`
	Unasked   string         `json:"unasked,omitempty"` // why processes could not be asked
}

func listOrders(ctx context.Context, f fleet, wait time.Duration) (r listReport, err error) {
	if r.orders, err = f.Orders(ctx); err != nil {
		return r, err
	}
	r.processes, r.unasked = f.Processes(ctx, wait)
	r.at = time.Now()
	r.sort()
	return r, nil
}

func (r *listReport) sort() {
	slices.SortStableFunc(r.orders, func(a, b control.Order) int { return cmp.Compare(a.Consumer, b.Consumer) })
	sortProcesses(r.processes)
	for _, o := range r.orders {
		r.heeds = append(r.heeds, heedOf(o, r.orders, r.processes))
	}
}

func sortProcesses(all []control.Process) {
	slices.SortStableFunc(all, func(a, b control.Process) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.PID, b.PID), cmp.Compare(a.ID, b.ID))
	})
}

// noOrders prints that there is no stream, so that no order stands.
func (a *app) noOrders(none *noStreamError) error {
	if a.json {
		return a.printJSON(listShown{At: time.Now().UTC().Truncate(time.Second), Orders: []orderShown{}, Processes: []processShown{}}, false)
	}
	_, err := fmt.Fprintln(a.out, "no order stands:", plain(none.Error()))
	return err
}

func (a *app) printOrders(r listReport, each bool) error {
	shown := listShown{At: r.at.UTC().Truncate(time.Second), Orders: []orderShown{}, Processes: showProcesses(r.processes, false)}
	if r.unasked != nil {
		shown.Unasked = r.unasked.Error()
	}
	var text strings.Builder
	fine := r.unasked == nil && len(troubles(r.processes)) == 0
	for i, o := range r.orders {
		shown.Orders = append(shown.Orders, showOrder(o, r.heeds[i]))
		fine = fine && r.heeds[i].all()
	}
	r.write(&text, a.width())
	if each {
		writeProcesses(&text, r, a.width())
	}
	var left error
	if !fine {
		left = found()
	}
	return a.printMoved(shown, text.String(), nil, left)
}

func (r *listReport) write(out *strings.Builder, width int) {
	if len(r.orders) == 0 && r.unasked != nil {
		out.WriteString("no order stands\n")
	} else if len(r.orders) == 0 {
		fmt.Fprintf(out, "no order stands; %s told of %s\n", counted(len(r.processes), "process has", "processes have"),
			counted(len(namesOfAll(r.processes)), "consumer", "consumers"))
	} else {
		t := table{heads: []string{"CONSUMER", "ORDER", "UNTIL", ">GIVEN", "BY", "OBEYED"}, elastic: []int{0, 4}}
		for i, o := range r.orders {
			until := strings.TrimPrefix(endOf(o, r.at), "until ")
			if o.Until.IsZero() {
				until = "it is resumed"
			}
			t.add(o.Consumer, orderWord(o), until, ago(r.at, o.At)+" ago", o.By, r.obeyedBy(r.heeds[i]))
			t.under(o.Why)
		}
		t.print(out, width)
	}
	for i, o := range r.orders {
		for _, line := range r.heeds[i].not {
			fmt.Fprintf(out, "%s is not obeyed by %s\n", plain(o.Consumer), plain(line))
		}
	}
	for _, line := range troubles(r.processes) {
		fmt.Fprintln(out, plain(line))
	}
	if r.unasked != nil {
		fmt.Fprintf(out, "which processes obey is not known: %s\n", plain(r.unasked.Error()))
	}
}

func (r *listReport) obeyedBy(h heed) string {
	switch {
	case r.unasked != nil:
		return "unknown"
	case h.of == 0:
		return "nobody has it"
	}
	return fmt.Sprintf("%d of %d", h.obeyed, h.of)
}

// writeProcesses writes a table with a line for each consumer of each process.
func writeProcesses(out *strings.Builder, r listReport, width int) {
	t := table{heads: []string{"PROCESS", "CONSUMER", ">AT ONCE", ">OF", "NOTE"}}
	for _, p := range r.processes {
		name := processName(p)
		for _, m := range p.Consumers {
			t.add(name, m.Name, fmt.Sprint(m.Limit), fmt.Sprint(m.Concurrency), memberNote(m))
			name = ""
		}
	}
	if len(t.rows) > 0 {
		out.WriteString("\n")
		t.print(out, width)
	}
}

// memberNote says what is to be noticed of a consumer.
func memberNote(m control.Member) string {
	var notes []string
	switch {
	case m.Paused && m.PausedByApp:
		notes = append(notes, "paused by the app")
	case m.Paused:
		notes = append(notes, "paused")
	case !m.Ready:
		notes = append(notes, "not ready")
	}
	if m.Stuck > 0 {
		notes = append(notes, fmt.Sprintf("%d stuck", m.Stuck))
	}
	if m.Err != "" {
		notes = append(notes, m.Err)
	}
	return strings.Join(notes, ", ")
}
