package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/cmd/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/internal/management"
	"github.com/bunnicula-go/bunnicula/topology"
)

const watchEvery = 2 * time.Second

type statusOptions struct {
	file   string
	delays []time.Duration
	watch  bool
}

// statusReport is what --json prints.
type statusReport struct {
	At        time.Time        `json:"at"`
	Broker    string           `json:"broker"`
	Consumers []inspect.Status `json:"consumers"`
}

func statusCommand(a *app) *cobra.Command {
	var o statusOptions
	cmd := &cobra.Command{
		Use:   "status [QUEUE...]",
		Short: "Show how many messages are in each consumer's queues",
		Long: `Shows each consumer's main queue, its retry queues by delay, its quarantine and its
error queue: how many messages are ready, how many consumers took and have not
acked (UNACKED), how many consumers there are, and how old the message at the
queue's head is.

Consumers are those of a topology file, or are named by their main queues, with
their retry queues by --delays or the management API; with that API and without
names all that exist are shown.
UNACKED and OLDEST are blank without it; OLDEST is known for classic queues only,
and messages with a timestamp.

The management API alone knows how many messages are kept (NOTE): their time in a
retry queue is over, and the broker could not put them into the main queue yet, as
after its restart. AMQP counts them in no queue.

Exit code 3 says that a main queue is missing.`,
		Example: `  bunnicula status --file topology.yml
  bunnicula status orders refunds --delays 10s,1m
  bunnicula status --management-url http://watcher:secret@localhost:15672
  bunnicula status orders --json | jq '.consumers[].queues[] | select(.role == "error").ready'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.status(cmd.Context(), o, args)
		},
	}
	fileFlag(cmd, &o.file)
	cmd.Flags().DurationSliceVar(&o.delays, "delays", nil, "delays of the retry queues of queues that no file names")
	cmd.Flags().BoolVarP(&o.watch, "watch", "w", false, "look again every 2 s, until ^C")
	return cmd
}

func (a *app) status(ctx context.Context, o statusOptions, args []string) error {
	consumers, err := a.consumers(o.file, o.delays, args)
	if err != nil {
		return err
	}
	api, _, err := a.api()
	if err != nil {
		return err
	} else if len(consumers) == 0 && api == nil {
		return usage(errors.New("which consumers? Want their queues' names, or --file, or --management-url to see all"))
	}
	w := statusWatch{
		app: a, consumers: consumers, again: o.watch,
		unseen: api == nil && slices.ContainsFunc(consumers, func(c inspect.Consumer) bool { return c.Unnamed }),
		// AMQP does not count what is dead-lettered and not yet confirmed.
		unkept: api == nil,
	}
	return a.inspecting(ctx, func(b *inspect.Broker) error { return w.run(ctx, b) })
}

// statusWatch prints the status once or repeatedly.
type statusWatch struct {
	app       *app
	consumers []inspect.Consumer
	again     bool // repeat until ^C
	unseen    bool // the report says that the retry queues are unknown
	unkept    bool // the report says that what the broker keeps is unknown
}

func (w statusWatch) run(ctx context.Context, b *inspect.Broker) error {
	for seen := false; ; seen = true {
		missing, err := w.once(ctx, b)
		switch {
		case err != nil && w.again && seen && ctx.Err() == nil:
			fmt.Fprintln(w.app.err, "bunnicula:", err) // and try again: the broker may come back
		case err != nil:
			return err
		case !w.again && missing:
			return found()
		case !w.again:
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(watchEvery):
		}
	}
}

// once prints one report, and says whether a main queue is missing.
func (w statusWatch) once(ctx context.Context, b *inspect.Broker) (missing bool, err error) {
	err = w.app.within(ctx, func(ctx context.Context) error {
		report, err := w.app.look(ctx, b, w.consumers)
		if err != nil {
			return err
		}
		missing = slices.ContainsFunc(report.Consumers, inspect.Status.Missing)
		return w.app.printStatus(report, w)
	})
	return missing, err
}

// consumers returns the consumers of a file and of the arguments. With a file, the arguments select
// some of its consumers.
func (a *app) consumers(file string, delays []time.Duration, args []string) ([]inspect.Consumer, error) {
	var consumers []inspect.Consumer
	if err := checkDelays(delays); err != nil {
		return nil, err
	}
	if file != "" {
		f, err := a.read(file)
		if err != nil {
			return nil, err
		}
		for _, t := range f.Topologies() {
			if c := inspect.FromTopology(t); len(args) == 0 || slices.Contains(args, c.Name) {
				consumers = append(consumers, c)
			}
		}
	}
	for _, queue := range args {
		if queue == "" {
			return nil, usage(errors.New("an argument is empty, want the name of a queue"))
		}
		if !slices.ContainsFunc(consumers, func(c inspect.Consumer) bool { return c.Name == queue }) {
			consumers = append(consumers, inspect.FromName(queue, delays))
		}
	}
	return consumers, nil
}

func checkDelays(delays []time.Duration) error {
	for _, d := range delays {
		if inspect.CheckDelay(d) != nil {
			return usage(fmt.Errorf("--delays: %s is not a delay, want whole milliseconds above 0", d))
		}
	}
	return nil
}

func (a *app) look(ctx context.Context, b *inspect.Broker, consumers []inspect.Consumer) (statusReport, error) {
	peer, err := b.Peer(ctx)
	if err != nil {
		return statusReport{}, err
	}
	known, err := a.known(ctx, b)
	if err != nil {
		return statusReport{}, err
	}
	var queues map[string]management.Queue
	if known != nil {
		queues = known.Queues
	}
	all, err := b.Look(ctx, inspect.Complete(consumers, slices.Sorted(maps.Keys(queues))), queues)
	return statusReport{At: time.Now().UTC().Truncate(time.Second), Broker: where(peer), Consumers: all}, err
}

func (a *app) printStatus(r statusReport, w statusWatch) error {
	if a.json {
		return a.printJSON(r, w.again)
	}
	var text strings.Builder
	if w.again {
		if a.shows {
			text.WriteString("\x1b[H\x1b[2J") // clear the screen and write from its top
		}
		fmt.Fprintf(&text, "%s  %s\n", r.At.Local().Format(time.TimeOnly), r.Broker)
	}
	if len(r.Consumers) == 0 {
		fmt.Fprintf(&text, "no queue of %s looks like a consumer's\n", r.Broker)
	} else {
		writeStatus(&text, r, a.width())
	}
	if w.unseen {
		text.WriteString("without retry queues: --delays, --file or --management-url tell which there are\n")
	}
	if w.unkept {
		text.WriteString("without what is kept, which AMQP does not count: --management-url tells\n")
	}
	_, err := io.WriteString(a.out, text.String())
	return err
}

func writeStatus(out io.Writer, r statusReport, width int) {
	t := table{heads: []string{"CONSUMER", "QUEUE", ">READY", ">UNACKED", ">CONSUMERS", ">OLDEST", "NOTE"}}
	for _, s := range r.Consumers {
		name := s.Consumer
		for _, q := range s.Queues {
			t.add(name, label(s.Consumer, q), number(q.Ready), number(q.Unacked), number(q.Consumers), age(r.At, q.Oldest), note(q))
			name = ""
		}
	}
	t.print(out, width)
}

// label returns a queue's role, and its name unless the role implies the name.
func label(consumer string, q inspect.QueueStatus) string {
	switch {
	case q.Role == topology.RoleRetry && q.Delay != "":
		return "retry " + q.Delay
	case q.Role == topology.RoleError && q.Queue != topology.ErrorQueue(consumer):
		return "error " + q.Queue
	}
	return string(q.Role)
}

// age prints a duration in its two largest units. It counts seconds, since a time.Duration ends at
// 292 years.
func age(now time.Time, at *time.Time) string {
	if at == nil {
		return ""
	}
	seconds := max(now.Unix()-at.Unix(), 0)
	switch minutes, hours := seconds/60, seconds/3600; {
	case seconds < 60:
		return fmt.Sprintf("%ds", seconds)
	case minutes < 60:
		return fmt.Sprintf("%dm%ds", minutes, seconds%60)
	case hours < 24:
		return fmt.Sprintf("%dh%dm", hours, minutes%60)
	default:
		return fmt.Sprintf("%dd%dh", hours/24, hours%24)
	}
}

// note returns what a reader should notice.
func note(q inspect.QueueStatus) string {
	var notes []string
	switch {
	case q.State != inspect.Present:
		return string(q.State)
	case q.Role == topology.RoleMain && q.Consumers != nil && *q.Consumers == 0:
		notes = append(notes, "no consumer")
	case q.Role == topology.RoleRetry && q.Consumers != nil && *q.Consumers > 0:
		notes = append(notes, "consumed")
	}
	if q.Kept != nil && *q.Kept > 0 {
		notes = append(notes, fmt.Sprintf("%d kept", *q.Kept))
	}
	if n := len(q.Problems); n > 0 {
		notes = append(notes, fmt.Sprintf("%d for the doctor", n))
	}
	return strings.Join(notes, ", ")
}
