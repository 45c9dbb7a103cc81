package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/inspect"
)

// fleet is the part of *control.Fleet that the command uses.
type fleet interface {
	Pause(context.Context, control.Command) (control.Receipt, error)
	Limit(context.Context, int, control.Command) (control.Receipt, error)
	Resume(context.Context, control.Command) (control.Receipt, error)
	Orders(context.Context) ([]control.Order, error)
	Processes(ctx context.Context, wait time.Duration, names ...string) ([]control.Process, error)
	Stop(context.Context) error
}

var _ fleet = (*control.Fleet)(nil)

// fleetOptions are the flags of all commands of a Fleet.
type fleetOptions struct {
	stream string
	wait   time.Duration
}

func (o *fleetOptions) addTo(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&o.wait, "wait", 3*time.Second, "how long to wait for the answers of processes")
	cmd.Flags().StringVar(&o.stream, "stream", control.ControlStream, "the stream of orders")
}

func (o *fleetOptions) check(names []string) error {
	switch {
	case o.stream == "" || len(o.stream) > 255:
		return usage(fmt.Errorf("--stream is %d bytes long, want the name of a stream, of 1 to 255", len(o.stream)))
	case o.wait <= 0:
		return usage(fmt.Errorf("--wait is %s, want a duration above 0 such as 3s", o.wait))
	case slices.Contains(names, ""): // probably an unset variable of a shell
		return usage(errors.New("an argument is empty, want the name of a consumer"))
	}
	for _, name := range names {
		if len(name) > 255 {
			return usage(fmt.Errorf("the consumer %q is %d bytes long, want a name of at most 255", name, len(name)))
		}
	}
	return nil
}

func controlCommand(a *app) *cobra.Command {
	return group(&cobra.Command{
		Use:   "control",
		Short: "Pause, limit and resume consumers in all processes, and see what they do",
		Long: `Gives orders to the consumers of all processes whose apps have control.Module, and asks
what runs in them. Orders are records of the stream bunnicula-control: a process that
starts, or comes back, reads them before it takes a message, so a pause survives its
restart, and that of the broker. Each order ends by itself, after an hour unless --for
says otherwise; --until-resumed gives one that stays.

CONSUMER is the name of a consumer, of partitions the queue that they are of (orders, for
orders.p00 and all others), or a pattern: * stands for any text, and wants quotes.

The permission to write to the exchange bunnicula-control is the right to stop others.`,
		Example: `  bunnicula control pause orders mails 'bank.*' --for 2h --why "migrating the database"
  bunnicula control limit orders 2 --for 30m
  bunnicula control ls
  bunnicula control resume orders
  bunnicula control running orders --stack`,
	},
		controlPause(a),
		controlLimit(a),
		controlResume(a),
		controlLs(a),
		controlRunning(a),
	)
}

// noStreamError says that no process listens, because there is no stream.
type noStreamError struct{ stream string }

func (e *noStreamError) Error() string {
	return fmt.Sprintf("there is no stream %q, so no process obeys: apps with control.Module declare it when they start", e.stream)
}

// withFleet runs f with the Fleet of a stream. Unless it may be made, a stream that does not exist
// is a noStreamError.
func (a *app) withFleet(ctx context.Context, stream string, mayMake bool, f func(fleet) error) error {
	if a.fleet != nil {
		return f(a.fleet)
	}
	return a.connected(ctx, func(conn *connection.Connection) error {
		if err := a.answers(ctx, conn.Transport().Consuming()); err != nil {
			return err
		}
		return a.onFleet(ctx, conn, stream, mayMake, f)
	})
}

// onFleet is withFleet on a connection that answers.
func (a *app) onFleet(ctx context.Context, conn *connection.Connection, stream string, mayMake bool, f func(fleet) error) error {
	if !mayMake {
		if is, err := a.hasStream(ctx, conn, stream); err != nil {
			return err
		} else if !is {
			return &noStreamError{stream}
		}
	}
	fleet, err := control.NewFleet(conn, control.FleetConfig{Stream: stream, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), goodbye)
		defer cancel()
		_ = fleet.Stop(ctx) // what was ordered is confirmed
	}()
	return f(fleet)
}

// hasStream says whether a stream exists. A user who may not look may yet read, so the answer is
// yes.
func (a *app) hasStream(ctx context.Context, conn *connection.Connection, stream string) (bool, error) {
	err := a.within(ctx, func(ctx context.Context) error {
		_, err := inspect.New(conn.Transport().Consuming()).Count(ctx, stream)
		return err
	})
	if refused := (*amqp.Error)(nil); errors.As(err, &refused) {
		return refused.Code != amqp.NotFound, nil
	}
	return true, err
}

// isPattern says whether a name has a *.
func isPattern(name string) bool { return strings.Contains(name, "*") }

// fits says whether a name fits a pattern, in which each * stands for any text.
func fits(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	first, last := parts[0], parts[len(parts)-1]
	if len(name) < len(first)+len(last) || !strings.HasPrefix(name, first) || !strings.HasSuffix(name, last) {
		return false
	}
	name = name[len(first) : len(name)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		_, rest, ok := strings.Cut(name, part)
		if !ok {
			return false
		}
		name = rest
	}
	return true
}

// concerns says whether an order for a name is one for a consumer: for itself, or for the queue
// that its queue is a partition of.
func concerns(name string, m control.Member) bool {
	return m.Name == name || m.Partitions == name && name != ""
}

// orderName returns the name by which a pattern means a consumer, "" if it does not: that of the
// queue of its partitions, if the pattern fits that.
func orderName(pattern string, m control.Member) string {
	switch {
	case m.Partitions != "" && fits(pattern, m.Partitions):
		return m.Partitions
	case fits(pattern, m.Name):
		return m.Name
	}
	return ""
}

// processName is how a table names a process.
func processName(p control.Process) string {
	name := fmt.Sprintf("%s pid %d", p.Host, p.PID)
	if p.App == "" {
		return name
	}
	return name + " (" + strings.TrimSpace(p.App+" "+p.AppVersion) + ")"
}

// silentLine says that processes have not answered an order, "" if all have that are known.
func silentLine(silent int, wait time.Duration) string {
	if silent == 0 {
		return ""
	}
	return fmt.Sprintf("%s such a consumer and did not answer within %s\n", counted(silent, "process has", "processes have"), wait)
}

// endOf returns until when an order stands, as a person reads it at the time now.
func endOf(o control.Order, now time.Time) string {
	if o.Until.IsZero() {
		return "until it is resumed"
	}
	return fmt.Sprintf("until %s (in %s)", clock(o.Until, now), brief(age(o.Until, &now)))
}

// brief leaves out the second unit of an age if it is 0.
func brief(age string) string {
	if i := len(age) - 2; i > 0 && age[i] == '0' && (age[i-1] < '0' || age[i-1] > '9') {
		return age[:i]
	}
	return age
}
