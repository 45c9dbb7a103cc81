package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

type eventsOptions struct {
	queues   []string
	what     []string
	reason   []string
	exchange string
	count    int
	during   string // a duration, "" for no end
	wait     bool
	declare  bool
}

func eventsCommand(a *app) *cobra.Command {
	var o eventsOptions
	cmd := &cobra.Command{
		Use:   "events [QUEUE...]",
		Short: "Show what consumers retry, park and redrive, as it happens",
		Long: `Shows the events of apps with control.EventsModule as they come, a line for each, until
^C, which is exit code 0 here: when, what, of which consumer's queue, the attempt and
how many there are, why and for how long it waits, the message's id and the error.

    retried    an attempt failed, and there is another one
    parked     it was given up, and is in the error queue
    redriven   it came back from the error queue: how its first attempt ended, and
               that it was acked if that was later
    recovered  it had failed before and was acked, if the app publishes that

It begins with what happens next. Events may be missing: apps drop them when the broker
is slow, and so does the broker when this command is more than 10000 behind. What is
parked is in the error queue: see bunnicula errors. On a lost connection it goes on.

It reads a queue of its own, which is gone when it ends, so it takes nothing from
anybody, and --read-only allows it.`,
		Example: `  bunnicula events
  bunnicula events orders refunds --what parked,redriven
  bunnicula events --reason timeout,panic --for 10m
  bunnicula events --what parked --json | jq -r '.queue + " " + .error'
  bunnicula events --what parked --count 1 --for 1h && page-somebody`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.queues = args
			during, err := o.check()
			if err != nil {
				return usage(err)
			}
			if o.declare {
				if err := a.mayChange("events --declare"); err != nil {
					return err
				}
			}
			return a.events(cmd.Context(), o, during)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringSliceVar(&o.what, "what", nil, "only these: retried, parked, redriven, recovered")
	flags.StringSliceVar(&o.reason, "reason", nil, "only what failed for one of these reasons, such as timeout")
	flags.IntVar(&o.count, "count", 0, "end after so many")
	flags.StringVar(&o.during, "for", "", "end after this long: 90s, 10m, 2h, 1d")
	flags.BoolVar(&o.wait, "wait", false, "wait for the exchange, if no app has declared it yet")
	flags.BoolVar(&o.declare, "declare", false, "declare the exchange first, for apps that may not")
	flags.StringVar(&o.exchange, "exchange", control.EventsExchange, "the exchange of events")
	return cmd
}

// reasons are those that --reason takes.
var reasons = []monitoring.Reason{
	monitoring.ReasonRetry, monitoring.ReasonError, monitoring.ReasonRetriesExhausted, monitoring.ReasonTimeout,
	monitoring.ReasonPanic, monitoring.ReasonUndecodable, monitoring.ReasonCrashed, monitoring.ReasonRefused,
}

// check returns how long to go on, 0 for no end.
func (o *eventsOptions) check() (during time.Duration, err error) {
	switch {
	case slices.Contains(o.queues, ""):
		return 0, errors.New("an argument is empty, want the name of a queue")
	case o.exchange == "" || len(o.exchange) > 255:
		return 0, fmt.Errorf("--exchange is %d bytes long, want the name of an exchange, of 1 to 255", len(o.exchange))
	case o.count < 0:
		return 0, fmt.Errorf("--count is %d, want 1 or more", o.count)
	case o.during != "":
		if during, err = foreign.ParseDuration(o.during); err != nil || during <= 0 {
			return 0, fmt.Errorf("--for is %q, want a duration above 0 such as 10m", o.during)
		}
	}
	if err := oneOf("--what", o.what, control.Whats); err != nil {
		return 0, err
	}
	return during, oneOf("--reason", o.reason, reasons)
}

// oneOf refuses words of a flag that are not known.
func oneOf[Word ~string](flag string, words []string, known []Word) error {
	names := make([]string, len(known))
	for i, w := range known {
		names[i] = string(w)
	}
	for _, w := range words {
		if !slices.Contains(names, w) {
			return fmt.Errorf("%s has %q, want some of %s", flag, w, strings.Join(names, ","))
		}
	}
	return nil
}

func (a *app) events(ctx context.Context, o eventsOptions, during time.Duration) error {
	a.endless = true
	if during > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, during)
		defer cancel()
	}
	return a.connected(ctx, func(conn *connection.Connection) error {
		link := conn.Transport().Consuming()
		show := &eventLines{app: a, options: o, counts: map[string]int{}}
		err := a.answers(ctx, link)
		if err == nil {
			err = (&eventTail{app: a, options: o, link: link, rebind: tailRebind, show: show.delivery}).run(ctx)
		}
		if ctx.Err() != nil { // by ^C, or --for
			err = nil
		}
		if err == nil {
			fmt.Fprintln(a.err, show.summary())
		}
		return err
	})
}
