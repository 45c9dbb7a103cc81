package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// An orderKind is what a command orders.
type orderKind string

const (
	toPause  orderKind = "pause"
	toLimit  orderKind = "limit"
	toResume orderKind = "resume"
)

// changeOptions are the flags of commands that give an order.
type changeOptions struct {
	fleetOptions
	during  string // a duration
	forever bool
	why     string
	by      string
	anyway  bool
	yes     bool
}

// fleetOrder is one run of pause, limit or resume.
type fleetOrder struct {
	*app
	kind    orderKind
	limit   int
	options changeOptions
	command control.Command
}

func controlPause(a *app) *cobra.Command {
	var o changeOptions
	cmd := &cobra.Command{
		Use:   "pause CONSUMER...",
		Short: "Have consumers take no messages, in all processes",
		Long: `Pauses consumers in all processes that have them, those that start later too. Handlers
that run go on to their end, and what was taken ahead goes back to the queue. It ends
by itself: after --for, by the clock of each process, unless --until-resumed is given.

It says first which consumers and processes it would reach, and asks. A consumer that
no process has is an error; --anyway orders it for those that start. An order takes the
place of the one before it: a pause that of a limit. Exit code 3 says that a process
which has told of such a consumer does not obey, or has not answered the order.`,
		Example: `  bunnicula control pause orders
  bunnicula control pause orders mails 'bank.*' --for 2h --why "migrating the database"
  bunnicula control pause orders --until-resumed --yes`,
		Args: want(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.order(cmd, fleetOrder{kind: toPause, options: o}, args)
		},
	}
	o.addTo(cmd, true)
	return cmd
}

func controlLimit(a *app) *cobra.Command {
	var o changeOptions
	cmd := &cobra.Command{
		Use:   "limit CONSUMER... N",
		Short: "Have consumers run at most N handlers at once in each process",
		Long: `Lets consumers run at most N handlers at once, in each process that has them and in
those that start later. Handlers that run go on, and fewer messages are taken ahead. N
is at most the consumer's Concurrency. It ends by itself: after --for, unless
--until-resumed is given. It lifts a pause, since an order takes the place of the one
before it.

It says first which consumers and processes it would reach, and asks. Exit code 3 says
that a process which has told of such a consumer does not obey, or has not answered the
order.`,
		Example: `  bunnicula control limit orders 2 --for 30m
  bunnicula control limit orders mails 1 --until-resumed --why "the API throttles us" --yes`,
		Args: want(cobra.MinimumNArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			last := len(args) - 1
			n, err := strconv.Atoi(args[last])
			if err != nil || n < 1 || n > math.MaxInt32 {
				return usage(fmt.Errorf("N is %q, want a number of handlers of 1 or more, behind the consumers (0 is for pause)", args[last]))
			}
			return a.order(cmd, fleetOrder{kind: toLimit, limit: n, options: o}, args[:last])
		},
	}
	o.addTo(cmd, true)
	return cmd
}

func controlResume(a *app) *cobra.Command {
	var o changeOptions
	cmd := &cobra.Command{
		Use:   "resume CONSUMER...",
		Short: "Lift the orders that stand for consumers, limits too",
		Long: `Lifts what was ordered for consumers: pauses, and limits. What an app itself has said by
Consumer.Pause and Consumer.Limit stays. It asks first, and says what it lifts. If
nothing stands for a name, it says so, and that is exit code 0. A resume of one
partition, such as orders.p07, lets that one go on alone.`,
		Example: `  bunnicula control resume orders
  bunnicula control resume '*' --yes`,
		Args: want(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.order(cmd, fleetOrder{kind: toResume, options: o}, args)
		},
	}
	o.addTo(cmd, false)
	return cmd
}

// addTo adds the flags. Only orders that last have an end.
func (o *changeOptions) addTo(cmd *cobra.Command, lasts bool) {
	flags := cmd.Flags()
	flags.SortFlags = false
	if lasts {
		flags.StringVar(&o.during, "for", "1h", "end it after this long: 90s, 30m, 2h, 1d")
		flags.BoolVar(&o.forever, "until-resumed", false, "let it stand until somebody resumes it")
		flags.BoolVar(&o.anyway, "anyway", false, "also if no process has such a consumer now")
	}
	flags.StringVar(&o.why, "why", "", "why, for those who see a queue that waits")
	flags.StringVar(&o.by, "by", "", "who orders it (default user@host of this process)")
	flags.BoolVarP(&o.yes, "yes", "y", false, "do not ask")
	o.fleetOptions.addTo(cmd)
}

// Bounds of what each process keeps and logs, in bytes, and of how long an order stands.
const (
	maxWhy   = 500
	maxBy    = 255
	shortest = time.Second
	longest  = 10 * 365 * 24 * time.Hour
)

// command makes the Command of the flags.
func (o *changeOptions) command(cmd *cobra.Command, names []string) (c control.Command, err error) {
	if err := o.check(names); err != nil {
		return c, err
	}
	c = control.Command{Consumers: names, Forever: o.forever, Why: o.why, By: o.by, Anyway: o.anyway, Wait: o.wait}
	for _, text := range []struct {
		flag, value string
		most        int
	}{{"--why", o.why, maxWhy}, {"--by", o.by, maxBy}} {
		if len(text.value) > text.most {
			return c, usage(fmt.Errorf("%s is %d bytes long, want at most %d", text.flag, len(text.value), text.most))
		}
	}
	switch {
	case o.forever && cmd.Flags().Changed("for"):
		return c, usage(fmt.Errorf("--for %q and --until-resumed are given, want one of them", o.during))
	case !o.forever && o.during != "":
		if c.For, err = foreign.ParseDuration(o.during); err != nil || c.For < shortest || c.For > longest {
			return c, usage(fmt.Errorf("--for is %q, want a duration of 1s to 3650d, such as 90s, 2h or 1d", o.during))
		}
	case o.during == "" && cmd.Flags().Changed("for"):
		return c, usage(errors.New("--for is empty, want a duration such as 2h, or --until-resumed in its place"))
	}
	return c, nil
}

func (a *app) order(cmd *cobra.Command, w fleetOrder, names []string) (err error) {
	w.app = a
	if w.command, err = w.options.command(cmd, names); err != nil {
		return err
	}
	if err := a.mayChange("control " + string(w.kind)); err != nil {
		return err
	}
	if err := a.canAsk(w.options.yes); err != nil {
		return err
	}
	ctx := cmd.Context()
	err = a.withFleet(ctx, w.options.stream, w.options.anyway, func(f fleet) error {
		lifted, err := w.ask(ctx, f)
		if err != nil || w.kind == toResume && len(lifted) == 0 {
			return err
		}
		var r control.Receipt
		err = a.within(ctx, func(ctx context.Context) error {
			r, err = w.give(ctx, f)
			return err
		})
		if err != nil {
			return err
		}
		return w.report(r, lifted)
	})
	var none *noStreamError
	switch {
	case errors.As(err, &none) && w.kind == toResume:
		return w.nothing(none.Error(), nil)
	case errors.As(err, &none):
		return fmt.Errorf("%w. --anyway declares it, and orders it for those that start", err)
	}
	return err
}

// give gives the order.
func (w *fleetOrder) give(ctx context.Context, f fleet) (control.Receipt, error) {
	switch w.kind {
	case toPause:
		return f.Pause(ctx, w.command)
	case toLimit:
		return f.Limit(ctx, w.limit, w.command)
	}
	return f.Resume(ctx, w.command)
}

// ask says whom the order would reach, and asks. The answer does not cover consumers that have come
// since, so the order is then for those that were named, and no pattern. It returns the orders that
// a resume lifts.
func (w *fleetOrder) ask(ctx context.Context, f fleet) (lifted []control.Order, err error) {
	if w.kind == toResume {
		err = w.within(ctx, func(ctx context.Context) error {
			lifted, err = w.standing(ctx, f)
			return err
		})
		if err != nil || len(lifted) == 0 {
			return nil, err
		}
		w.command.Consumers = resumedNames(w.command.Consumers, lifted)
		return lifted, w.confirm("Resume "+listOf(lifted)+"?", w.options.yes)
	}
	if w.options.yes && !slices.ContainsFunc(w.command.Consumers, isPattern) {
		return nil, nil
	}
	var all []control.Process
	err = w.within(ctx, func(ctx context.Context) error {
		all, err = f.Processes(ctx, w.command.Wait)
		return err
	})
	if err != nil {
		return nil, err
	}
	reach, err := reachOf(w.command.Consumers, all, w.command.Anyway)
	if err != nil {
		return nil, err
	}
	w.command.Consumers = reach.names
	return nil, w.confirm(w.question(reach), w.options.yes)
}

// question asks whether to reach that.
func (w *fleetOrder) question(r reach) string {
	do := "Pause"
	if w.kind == toLimit {
		do = fmt.Sprintf("Limit to %s a process", counted(w.limit, "handler", "handlers"))
	}
	end := "until somebody resumes it"
	if !w.command.Forever {
		end = "for " + w.options.during
	}
	return fmt.Sprintf("%s %s in %s, %s?", do, plain(strings.Join(r.names, ", ")), counted(r.processes, "process", "processes"), end)
}

// standing returns the orders that a resume of the names lifts, and prints of which nothing stands.
func (w *fleetOrder) standing(ctx context.Context, f fleet) (lifted []control.Order, err error) {
	all, err := f.Orders(ctx)
	if err != nil {
		return nil, err
	}
	var idle []string
	for _, name := range w.command.Consumers {
		some := false
		for _, o := range all {
			if lifts(name, o.Consumer) {
				some = true
				if !slices.Contains(lifted, o) {
					lifted = append(lifted, o)
				}
			}
		}
		if !some {
			idle = append(idle, name)
		}
	}
	if len(idle) > 0 {
		text := "no order stands for " + strings.Join(idle, ", ")
		if len(lifted) > 0 {
			fmt.Fprintln(w.err, plain(text))
			w.command.Consumers = slices.DeleteFunc(slices.Clone(w.command.Consumers), func(name string) bool { return slices.Contains(idle, name) })
			return lifted, nil
		}
		return nil, w.nothing(text, all)
	}
	return lifted, nil
}

// nothing prints that there is nothing to resume.
func (w *fleetOrder) nothing(text string, stand []control.Order) error {
	if w.json {
		return w.printJSON(controlReport{Did: "resumed", Orders: []orderShown{}, Resumed: []resumedShown{}, Processes: []processShown{}}, false)
	}
	if len(stand) > 0 {
		text += "; some stand for " + listOf(stand)
	}
	_, err := fmt.Fprintln(w.out, "nothing to resume:", plain(text))
	return err
}

// listOf lists the consumers of orders, and what was ordered.
func listOf(all []control.Order) string {
	var names []string
	for i, o := range all {
		if i == 10 && len(all) > 11 {
			names = append(names, fmt.Sprintf("%d more", len(all)-i))
			break
		}
		names = append(names, fmt.Sprintf("%s (%s)", o.Consumer, orderWord(o)))
	}
	return plain(strings.Join(names, ", "))
}

func orderWord(o control.Order) string {
	if o.Paused {
		return "paused"
	}
	return fmt.Sprintf("limit %d", o.Limit)
}
