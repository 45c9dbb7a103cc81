package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/internal/transport"
	"github.com/bunnicula-go/bunnicula/topology"
)

func errorsCommand(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "errors",
		Short: "See what is parked in an error queue, and move it back",
		Long: `Shows what failed and why, by kind, and moves back what can be handled now, puts it
into an archive, or writes it to a file.

QUEUE is a consumer's main queue (orders), its error queue (orders-error), or its
archive (orders-archive). Each TERM narrows the choice:
` + terms + `
Reading holds all messages until it ends, and then gives them back in their order:
nobody else sees them meanwhile, and consumers of the main queue are not concerned.
All of it takes as long as it takes, unless --timeout is given.`,
		Example: `  bunnicula errors groups orders
  bunnicula errors show orders reason=panic
  bunnicula errors redrive orders reason=timeout older=2h --batches 1,10,100 --watch 15m
  bunnicula errors export orders --output orders.jsonl`,
	},
		errorsGroups(a),
		errorsLs(a),
		errorsShow(a),
		errorsRedrive(a),
		errorsDiscard(a),
		errorsExport(a),
		errorsImport(a),
	)
}

// terms explains TERM.
const terms = `
  reason=timeout,panic     also type, group, id, consumer, host, app, version,
                           queue: one of these; queue is where messages came
                           from, version the app's
  error~"refused"          a part of the error's text
  older=2h newer=3d        parked longer ago, less long ago: 90s, 15m, 2h30m, 3d
  before=2026-11-02        parked before a time, or then and later: a date in UTC,
  after=2026-11-01         or 2026-11-01T10:31:00Z
  redrive=ID               parked again after the redrive of this id
  mark=MARK                a message by its mark, which ls --marks and show have
  header.NAME=value        a user's header; header.NAME, that there is one
  body.user.id=42          a value in a JSON body; body.items[0], that there is one
`

// errorsQueue says which error queue to open, and how to read it.
type errorsQueue struct {
	name          string // the argument QUEUE
	errorQueue    string
	file          string
	deliveryLimit int
}

// addTo adds the flags.
func (o *errorsQueue) addTo(cmd *cobra.Command) {
	cmd.Args = want(cobra.MinimumNArgs(1))
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.StringVar(&o.errorQueue, "error-queue", "", "the error queue, where its name does not follow from QUEUE")
	fileFlag(cmd, &o.file)
	flags.Lookup("file").Usage = "a topology file that has QUEUE, for what it is declared with"
	flags.IntVar(&o.deliveryLimit, "delivery-limit", 0, "how often the queue lets a message be given back, by its\nargument and policies (default: found out)")
}

// errorsConfig finds QUEUE in the topology file, if there is one. Otherwise it uses the name.
func (a *app) errorsConfig(o errorsQueue) (errorqueue.Config, error) {
	if o.name == "" {
		return errorqueue.Config{}, usage(errors.New("QUEUE is empty, want the name of a consumer's queue"))
	}
	cfg := errorqueue.Named(o.name)
	if o.file != "" {
		f, err := a.read(o.file)
		if err != nil {
			return cfg, err
		}
		found := false
		for _, t := range f.Topologies() {
			if inspect.FromTopology(t).Name == o.name {
				cfg, found = errorqueue.Of(t), true
			}
		}
		if !found {
			return cfg, usage(fmt.Errorf("QUEUE is %q, want one that %s has", o.name, o.file))
		}
	}
	if o.errorQueue != "" {
		cfg = errorqueue.Config{Queue: o.name, ErrorQueue: o.errorQueue}
	}
	cfg.DeliveryLimit = o.deliveryLimit
	return cfg, nil
}

// openErrors runs f with an open error queue. Opening takes --timeout at most; f is bound by
// --timeout only if that was given.
func (a *app) openErrors(cmd *cobra.Command, o errorsQueue, p *progress, f func(context.Context, *errorqueue.Queue) error) error {
	if err := notEmpty(cmd); err != nil {
		return err
	}
	cfg, err := a.errorsConfig(o)
	if err != nil {
		return err
	}
	return o.shared(a.openQueue(cmd, cfg, p, func(ctx context.Context, _ *connection.Connection, q *errorqueue.Queue) error { return f(ctx, q) }))
}

// openQueue is openErrors for a queue that has its Config.
func (a *app) openQueue(cmd *cobra.Command, cfg errorqueue.Config, p *progress,
	f func(context.Context, *connection.Connection, *errorqueue.Queue) error,
) error {
	return a.connected(cmd.Context(), func(conn *connection.Connection) error {
		ctx := cmd.Context()
		limit := min(patience, a.timeout)
		soon, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %s", limit))
		q, err := errorqueue.Open(soon, conn, cfg, slog.New(slog.NewTextHandler(p, &slog.HandlerOptions{Level: slog.LevelWarn, ReplaceAttr: plainLog})))
		cancel()
		if soon.Err() != nil || transport.Permanent(err) {
			err = a.whichBroker(err)
		}
		if err != nil {
			return explained(err)
		}
		if cmd.Flags().Changed("timeout") {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeoutCause(ctx, a.timeout, fmt.Errorf("not done within --timeout %s", a.timeout))
			defer cancel()
		}
		defer func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
			defer cancel()
			q.Close(ctx) // f has given back its messages
		}()
		err = f(ctx, conn, q)
		p.end()
		return explained(err)
	})
}

// shared says where the messages of a partition are parked, if it has no error queue of its own.
func (o *errorsQueue) shared(err error) error {
	of, _, is := topology.PartitionOf(o.name)
	if !is || o.errorQueue != "" || !errors.Is(err, errorqueue.ErrNoQueue) {
		return err
	}
	return fmt.Errorf("%w; the partitions of a queue park in one error queue: bunnicula errors ... %s queue=%s", err, of, o.name)
}

// notEmpty refuses a flag with an empty value, which may come from an unset variable of a shell:
// --to "" would move messages to the queues from which they came, and --url "" would choose another
// broker.
func notEmpty(cmd *cobra.Command) error {
	for _, name := range []string{"url", "file", "error-queue", "to", "archive", "redrive-id", "settled"} {
		if f := cmd.Flags().Lookup(name); f != nil && f.Changed && f.Value.String() == "" {
			return usage(fmt.Errorf("--%s is empty, want a value", name))
		}
	}
	return nil
}

// plainLog removes the time and the level of a log line.
func plainLog(_ []string, attribute slog.Attr) slog.Attr {
	if attribute.Key == slog.TimeKey || attribute.Key == slog.LevelKey {
		return slog.Attr{}
	}
	return attribute
}

// explained turns an error of errorqueue into one with the command's terms and its exit code.
func explained(err error) error {
	var field *errorqueue.FieldError
	var missing *errorqueue.MissingTargetError
	switch {
	case errors.Is(err, errorqueue.ErrNoFilter):
		return usage(errors.New("which messages? Want terms such as reason=timeout, --id, --group, or --all"))
	case errors.As(err, &field):
		return usage(fmt.Errorf("%s is %q, want %s", flagOf(field.Field), field.Value, field.Want))
	case errors.Is(err, errorqueue.ErrFormat):
		return usage(err)
	case errors.As(err, &missing) && missing.Source == "caller":
		return &exitError{exitFound, fmt.Errorf("--to is %q, and there is no such queue: declare it, or name another; nothing was moved", missing.Queue)}
	case errors.As(err, &missing):
		return &exitError{exitFound, fmt.Errorf("queue %q does not exist, to which %s would go (known from: %s): declare it, or name another with --to; nothing was moved",
			missing.Queue, messages(missing.Messages), missing.Source)}
	case errors.Is(err, errorqueue.ErrFailedAgain):
		return &exitError{exitFound, fmt.Errorf("%w; the rest stays parked (errors groups with redrive= and the id of this redrive shows what failed, --tolerate lets some fail)", err)}
	case errors.Is(err, errorqueue.ErrNoQueue):
		return fmt.Errorf("%w (--error-queue, if it has another name)", err)
	case errors.Is(err, errorqueue.ErrBusy):
		return fmt.Errorf("%w: try again when it has ended, a redrive with --rate may take long", err)
	case errors.Is(err, errorqueue.ErrDeliveryLimit):
		return fmt.Errorf("%w (give --management-url, or the limit as --delivery-limit, or a user who may publish)", err)
	}
	return err
}

// unreadable returns the error if it says that a message cannot be read, otherwise nil. The
// messages in front of that one were read then.
func unreadable(err error) error {
	var u *errorqueue.UnreadableError
	if errors.As(err, &u) {
		return err
	}
	return nil
}

// warn prints an error that does not end the command.
func (a *app) warn(err error) {
	if err != nil {
		a.complain(err)
	}
}

// flagOf returns the flag or argument for a field of errorqueue's options.
func flagOf(field string) string {
	switch field {
	case "Queue":
		return "QUEUE"
	case "ErrorQueue":
		return "--error-queue"
	case "DeliveryLimit":
		return "--delivery-limit"
	case "ID":
		return "--redrive-id"
	case "By", "Limit", "Rate", "Batches", "Watch", "Tolerate", "To", "Archive", "From", "Within":
		return "--" + strings.ToLower(field)
	}
	return field
}

// choice holds the flags that choose messages.
type choice struct {
	ids    []string
	groups []string
	all    bool
}

func (c *choice) addTo(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringArrayVar(&c.ids, "id", nil, "a message id, as id=; may be given several times")
	flags.StringArrayVar(&c.groups, "group", nil, "a kind of failure, as groups shows it; several times")
}

// addAllTo also adds --all, for commands that do nothing without a choice.
func (c *choice) addAllTo(cmd *cobra.Command) {
	c.addTo(cmd)
	cmd.Flags().BoolVar(&c.all, "all", false, "all messages, where there is no term")
}

// filter makes a Filter of the terms and flags.
func (c *choice) filter(terms []string) (errorqueue.Filter, error) {
	f, err := errorqueue.ParseTerms(terms...)
	if err != nil {
		return f, usage(err)
	}
	for flag, values := range map[string][]string{"--id": c.ids, "--group": c.groups} {
		for _, v := range values {
			if v == "" { // probably an unset variable of a shell
				return f, usage(fmt.Errorf("%s is empty, want a value", flag))
			}
		}
	}
	f.IDs, f.Groups = append(f.IDs, c.ids...), append(f.Groups, c.groups...)
	if c.all && !f.IsZero() {
		return f, usage(fmt.Errorf("--all and a choice (%s) are given, want one of them", f))
	}
	return f, nil
}

// chosen is filter for commands that require a choice, or --all.
func (c *choice) chosen(terms []string) (errorqueue.Filter, error) {
	f, err := c.filter(terms)
	if err == nil && f.IsZero() && !c.all {
		err = explained(errorqueue.ErrNoFilter)
	}
	return f, err
}
