package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/inspect"
)

// moveOptions are the flags of move.
type moveOptions struct {
	old, now moveSide
	options  errorqueue.MoveOptions
	yes      bool
	timed    bool // --timeout is given
}

func moveCommand(a *app) *cobra.Command {
	var o moveOptions
	cmd := &cobra.Command{
		Use:   "move OLD NEW",
		Short: "Move what waits in one consumer's queues to another consumer's",
		Long: `Moves what waits in all queues of a consumer (its main queue OLD, its retry queues,
its quarantine and its error queue) to those of another, whose main queue is NEW. That
is how a queue gets another name, type or other arguments: docs/OPERATIONS.md tells
how to go about it. It says first what waits where, and asks.

Each message is confirmed in its new queue before it is taken out of the old one, so
none is lost however it ends; if it is killed, up to 100 may be in both. Attempts,
history, crashes and how a message was first published go with it. A message that
waits for a retry is never early. If it does not say when it is due, its delay begins
anew; with --leave-retries it comes back to OLD on time, and --wait moves it then.

NEW must be declared: by its app, or by topology apply. The retry queues of OLD are
those of --old-file, --old-delays, or what the management API shows. Consumers of OLD
hold messages that nobody else sees: stop them before the last move. It takes as long
as it takes, unless --timeout is given.

Exit code 3 says that messages wait in OLD's queues still, or may wait there because
this user cannot look; or that a queue of NEW is missing. A message that cannot be
moved stays, and is exit code 1.`,
		Example: `  bunnicula move orders invoices --file topology.yml --old-delays 10s,1m --dry-run
  bunnicula move orders invoices --file topology.yml --old-delays 10s,1m --wait 5m
  bunnicula move orders orders-v2 --file topology.yml --old-scheme bunnicula`,
		Args: want(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.old.name, o.now.name = args[0], args[1]
			o.timed = cmd.Flags().Changed("timeout")
			if err := o.check(cmd); err != nil {
				return err
			}
			if err := o.read(a); err != nil {
				return err
			}
			if !o.options.DryRun {
				if err := a.mayChange("move"); err != nil {
					return err
				}
				if err := a.canAsk(o.yes); err != nil {
					return err
				}
			}
			return a.connected(cmd.Context(), func(conn *connection.Connection) error { return a.move(cmd.Context(), conn, o) })
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	fileFlag(cmd, &o.now.file)
	flags.Lookup("file").Usage = "a topology file that has NEW, for what it is declared with;\nOLD may be in it too"
	o.now.delays.orNone, o.old.delays.orNone = true, true
	flags.Var(&o.now.delays, "delays", "delays of NEW's retry queues, without a file: 10s,1m, ladder or\nnone (default OLD's)")
	flags.StringVar(&o.old.file, "old-file", "", "a topology file that has OLD")
	flags.Var(&o.old.delays, "old-delays", "delays of OLD's retry queues")
	flags.StringVar(&o.old.scheme, "old-scheme", "standard", "bunnicula for the queues of Clojure's Bunnicula")
	flags.BoolVar(&o.options.LeaveRetries, "leave-retries", false, "leave what waits for a retry until it comes back to OLD")
	flags.DurationVar(&o.options.Wait, "wait", 0, "go on for so long, until nothing waits in OLD's queues")
	flags.IntVar(&o.options.Limit, "limit", 0, "how many at most; 0 for all")
	flags.Float64Var(&o.options.Rate, "rate", 0, "how many in a second, at most; 0 for as fast as it goes")
	changeFlags(cmd, &o.options.DryRun, &o.yes)
	return cmd
}

// check checks what needs no broker.
func (o *moveOptions) check(cmd *cobra.Command) error {
	for _, name := range []string{"url", "file", "old-file", "old-scheme"} {
		if f := cmd.Flags().Lookup(name); f.Changed && f.Value.String() == "" { // an unset variable of a shell
			return usage(fmt.Errorf("--%s is empty, want a value", name))
		}
	}
	switch {
	case o.old.name == "" || o.now.name == "":
		return usage(errors.New("OLD or NEW is empty, want the names of two main queues"))
	case o.old.name == o.now.name:
		return usage(fmt.Errorf("OLD and NEW are both %q, want two queues", o.old.name))
	case o.old.scheme != "standard" && o.old.scheme != "bunnicula":
		return usage(fmt.Errorf("--old-scheme is %q, want standard or bunnicula", o.old.scheme))
	}
	return nil
}

// move finds out which queues there are, asks, and moves.
func (a *app) move(ctx context.Context, conn *connection.Connection, o moveOptions) error {
	if err := a.answers(ctx, conn.Transport().Consuming()); err != nil {
		return err
	}
	r := moveReport{}
	err := a.within(ctx, func(ctx context.Context) error {
		b := inspect.New(conn.Transport().Consuming())
		known, err := a.known(ctx, b)
		if err != nil {
			return err
		}
		r.bindingsOf(known, o.old.name, o.now.name)
		o.options.From, o.options.To, err = a.sides(ctx, b, known, o)
		return err
	})
	if err != nil {
		return err
	}
	p := a.progress("move")
	log := slog.New(slog.NewTextHandler(p, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: plainLog}))
	run := func(options errorqueue.MoveOptions) (err error) {
		r.MoveReport, err = errorqueue.Move(ctx, conn, options, log)
		p.end()
		r.next(o)
		return movedErr(err, o)
	}
	if o.timed {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, a.timeout, fmt.Errorf("not done within --timeout %s", a.timeout))
		defer cancel()
	}
	plan := o.options
	plan.DryRun = true
	err = run(plan)
	r.DryRun = o.options.DryRun
	if err != nil || o.options.DryRun || r.empty() && o.options.Wait == 0 {
		return a.printMove(r, err)
	}
	if !o.yes {
		fmt.Fprint(a.err, r.plan(a.width())) // it is part of the question
		if err := a.confirm(fmt.Sprintf("Move %s from %s to %s?", r.about(), plain(r.From), plain(r.To)), false); err != nil {
			return err
		}
	}
	o.options.Progress = p.tell
	return a.printMove(r, run(o.options))
}

// movedErr turns an error of a move into one with the command's terms and its exit code.
func movedErr(err error, o moveOptions) error {
	var missing *errorqueue.MissingTargetError
	switch {
	case errors.As(err, &missing):
		return &exitError{exitFound, fmt.Errorf("queue %q of the new consumer does not exist; nothing was moved. Start its app, or declare it: bunnicula topology apply --file %s",
			missing.Queue, orFile(o.now.file))}
	case errors.Is(err, errorqueue.ErrNoQueue):
		return &exitError{exitFound, fmt.Errorf("there is no queue %q, and none beside it; nothing was moved", o.old.name)}
	case errors.Is(err, errorqueue.ErrDeliveryLimit):
		return fmt.Errorf("too many messages cannot be moved: %w", err)
	}
	return explained(err)
}

func orFile(name string) string {
	if name == "" || name == "-" {
		return "topology.yml"
	}
	return name
}

// printMove prints the report, and returns the error of the command.
func (a *app) printMove(r moveReport, err error) error {
	if len(r.Queues) == 0 || r.Waiting+r.Moved == 0 && err != nil { // it has not begun
		return err
	}
	var left error
	switch {
	case r.Failed+r.Illegible > 0 && !r.DryRun:
		left = fmt.Errorf("%s cannot be moved, and stay in the queues of %s", messages(r.Failed+r.Illegible), plain(r.From))
	case (r.Left > 0 || len(r.unknown()) > 0) && !r.DryRun:
		left = found()
	}
	return a.printMoved(r, r.text(a.width()), err, left)
}
