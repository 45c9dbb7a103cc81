package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/bunnicula-go/bunnicula/cmd/bunnicula/internal/database"
	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/doctor"
	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/internal/outboxlook"
	"github.com/bunnicula-go/bunnicula/outbox"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

func doctorCommand(a *app) *cobra.Command {
	var file string
	var delays delayList
	cmd := &cobra.Command{
		Use:   "doctor [QUEUE...]",
		Short: "Say what is wrong or risky, why, and what to do",
		Long: `Looks at the broker and at consumers' queues, and says what is wrong or risky, why it
matters and what to do about it. It changes nothing: what it tries are declarations
and consumers that the broker must refuse, and a message that nobody gets.

Consumers are those of a topology file, or are named by their main queues; those are
taken to be as Bunnicula declares them. A queue that has partitions in its place, as
orders.p00, means all of them. Orders of bunnicula control that stand are findings too,
since they explain a queue that waits. Without either it looks at the broker alone.
The management API adds policies, alarms, replicas, and what waits unseen. A database
that is given by --dsn or BUNNICULA_DSN adds the outbox in it: rows that are late, that
failed, or that are for a queue which does not exist, its tables and clocks. Of these it
says what it can if the broker is away, which is exit code 1.

Exit code 3 says that something serious was found.`,
		Example: `  bunnicula doctor --file topology.yml
  bunnicula doctor orders --delays 10s,1m --management-url http://watcher:secret@localhost:15672
  bunnicula doctor --dsn postgres://shop@localhost:5432/shop
  bunnicula doctor --file topology.yml --json | jq '.findings[] | select(.severity == "serious")'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			consumers, err := a.patients(file, delays.times, args)
			if err != nil {
				return err
			}
			dsn, found, err := a.database(cmd)
			if err != nil {
				return err
			}
			err = a.inspectingBy(cmd.Context(), func(conn *connection.Connection, b *inspect.Broker) error {
				return a.within(cmd.Context(), func(ctx context.Context) error {
					var rows *outboxlook.Facts
					if found {
						if rows, err = a.lookAtOutbox(ctx, dsn); err != nil {
							return err
						}
					}
					return a.examine(ctx, conn, b, consumers, rows)
				})
			})
			var away *awayError
			if found && errors.As(err, &away) && cmd.Context().Err() == nil {
				return errors.Join(err, a.within(cmd.Context(), func(ctx context.Context) error {
					return a.examineOutbox(ctx, dsn)
				}))
			}
			return err
		},
	}
	fileFlag(cmd, &file)
	cmd.Flags().Var(&delays, "delays", namedDelays)
	cmd.Flags().StringVar(&a.dsn, "dsn", "", "the database of an outbox (default $BUNNICULA_DSN)")
	return cmd
}

// lookAtControl reads the orders that stand, and asks the processes.
func (a *app) lookAtControl(ctx context.Context, conn *connection.Connection) *doctor.Control {
	k := a.standingOrders(ctx, conn, true)
	return &doctor.Control{Stream: control.ControlStream, Orders: k.orders, Missing: k.missing, Err: k.err, Processes: k.processes, Unasked: k.unasked}
}

// expandPatients puts its partitions in the place of a queue that was named, does not exist, and
// has some.
func expandPatients(ctx context.Context, b *inspect.Broker, consumers []doctor.Consumer) (all []doctor.Consumer, err error) {
	for _, c := range consumers {
		var numbers []int
		if c.Guessed {
			if numbers, err = b.InsteadOf(ctx, c.Plan.Queue); err != nil {
				return nil, err
			}
		}
		if len(numbers) == 0 {
			all = append(all, c)
		}
		for _, i := range numbers {
			plan := c.Plan
			plan.Queue, plan.ErrorQueue, plan.SingleActive = topology.PartitionQueue(c.Plan.Queue, i), topology.ErrorQueue(c.Plan.Queue), true
			t, err := topology.New(plan)
			if err != nil {
				return nil, err
			}
			all = append(all, doctor.Consumer{Consumer: topologyfile.Consumer{Plan: plan, Topology: t}, Guessed: true})
		}
	}
	return all, nil
}

// lookAtOutbox collects the facts of the outbox in a database.
func (a *app) lookAtOutbox(ctx context.Context, dsn database.DSN) (*outboxlook.Facts, error) {
	var facts outboxlook.Facts
	err := a.openDatabase(ctx, dsn, false, func(db *sql.DB) error {
		box, err := outbox.New(db, dsn.Dialect)
		if err == nil {
			facts, err = outboxlook.Looker{DB: db, Dialect: dsn.Dialect}.Look(ctx, box, dsn.Shown)
		}
		return err
	})
	return &facts, err
}

// patients returns the consumers of a file and of arguments.
func (a *app) patients(file string, delays []time.Duration, args []string) ([]doctor.Consumer, error) {
	var consumers []doctor.Consumer
	named := map[string]bool{}
	if file != "" {
		f, err := a.read(file)
		if err != nil {
			return nil, err
		}
		for _, c := range f.Consumers {
			consumers = append(consumers, doctor.Consumer{Consumer: c})
			named[c.Plan.Queue] = true
		}
	}
	for _, queue := range args {
		if named[queue] {
			return nil, usage(fmt.Errorf("queue %q is given twice, as an argument and in the file or before", queue))
		}
		named[queue] = true
		plan := topology.Plan{Queue: queue, Delays: delays}
		t, err := topology.New(plan)
		if err != nil {
			return nil, usage(err)
		}
		consumers = append(consumers, doctor.Consumer{Consumer: topologyfile.Consumer{Plan: plan, Topology: t}, Guessed: true})
	}
	if len(delays) > 0 && len(args) == 0 {
		return nil, usage(errors.New("--delays is for queues that are named, and none is"))
	}
	return consumers, nil
}

// doctorReport is what --json prints.
type doctorReport struct {
	Broker   string           `json:"broker,omitempty"` // "" if it is away
	Version  string           `json:"version,omitempty"`
	Database string           `json:"database,omitempty"`
	Findings []doctor.Finding `json:"findings"`
}

func (a *app) examine(ctx context.Context, conn *connection.Connection, b *inspect.Broker, consumers []doctor.Consumer, rows *outboxlook.Facts) error {
	api, done, err := a.api()
	if err != nil {
		return err
	}
	defer done()
	if consumers, err = expandPatients(ctx, b, consumers); err != nil {
		return err
	}
	facts, err := doctor.Examine(ctx, b, api, consumers)
	if err != nil {
		return err
	}
	if facts.Blocked == "" { // otherwise the stream cannot be read up to its end
		facts.Control = a.lookAtControl(ctx, conn)
	}
	r := doctorReport{Broker: where(facts.Peer), Version: facts.Peer.Product + " " + facts.Peer.Version}
	if rows != nil && facts.Blocked == "" { // a broker that takes no messages answers nothing any more
		if facts.Outbox, err = doctor.ExamineOutbox(ctx, b, *rows); err != nil {
			return err
		}
	} else if rows != nil {
		facts.Outbox = &doctor.Outbox{Facts: *rows}
	}
	if rows != nil {
		r.Database = rows.Shown
	}
	r.Findings = doctor.Diagnose(facts)
	if err := a.printDoctor(r); err != nil {
		return err
	}
	if doctor.Worst(r.Findings) == doctor.Serious {
		return found()
	}
	return nil
}

// examineOutbox is examine without a broker.
func (a *app) examineOutbox(ctx context.Context, dsn database.DSN) error {
	rows, err := a.lookAtOutbox(ctx, dsn)
	if err != nil {
		return err
	}
	return a.printDoctor(doctorReport{Database: rows.Shown, Findings: doctor.DiagnoseOutbox(*rows)})
}

func (a *app) printDoctor(r doctorReport) error {
	if a.json {
		return a.printJSON(r, false)
	}
	a.printFindings(r)
	return nil
}

func (a *app) printFindings(r doctorReport) {
	if r.Broker != "" {
		fmt.Fprintf(a.out, "%s  %s\n", r.Broker, plain(r.Version))
	}
	if r.Database != "" {
		fmt.Fprintf(a.out, "%s\n", plain(r.Database))
	}
	colors := map[doctor.Severity]string{doctor.Serious: red, doctor.Warning: yellow, doctor.Note: green}
	count := map[doctor.Severity]int{}
	for _, f := range r.Findings {
		count[f.Severity]++
	}
	for _, f := range together(r.Findings) {
		// The severity is coloured after the text was folded, because colours would count as width.
		text := strings.TrimPrefix(fold(fmt.Sprintf("%s: %s", f.Subject, f.Problem), "         "), "         ")
		fmt.Fprintf(a.out, "\n%s  %s\n", a.paint(colors[f.Severity], fmt.Sprintf("%-7s", f.Severity)), text)
		for _, part := range []struct{ name, text string }{{"of", f.queues}, {"why", f.Why}, {"do", f.Do}, {"see", f.See}} {
			if part.text == "" {
				continue
			}
			fmt.Fprintf(a.out, "    %-4s %s\n", part.name, strings.TrimPrefix(fold(part.text, "         "), "         "))
		}
	}
	serious := fmt.Sprintf("%d serious", count[doctor.Serious])
	unlooked := slices.ContainsFunc(r.Findings, func(f doctor.Finding) bool { return f.Check == doctor.NotLooked })
	if unlooked && count[doctor.Serious] == 0 {
		serious = "nothing serious in what could be looked at, which is not the policies"
	}
	fmt.Fprintf(a.out, "\n%s, %d to be warned of, %d to be known\n", serious, count[doctor.Warning], count[doctor.Note])
}

// alike is a finding about one subject, or the same one about several queues.
type alike struct {
	doctor.Finding
	queues string // the names of several
}

// together joins findings that differ in their queue alone, as those about the ten retry queues of
// the Ladder. They keep the place of the first.
func together(all []doctor.Finding) []alike {
	var joined []alike
	of := map[doctor.Finding][]string{} // the queues, by a finding without its subject
	same := func(f doctor.Finding) (key doctor.Finding, queue string) {
		queue, isQueue := strings.CutPrefix(f.Subject, "queue ")
		if isQueue {
			f.Subject = "queue"
		}
		return f, queue
	}
	for _, f := range all {
		key, queue := same(f)
		of[key] = append(of[key], queue)
		if len(of[key]) == 1 {
			joined = append(joined, alike{Finding: f})
		}
	}
	for i := range joined {
		key, _ := same(joined[i].Finding)
		if n := len(of[key]); n > 1 {
			joined[i].Subject, joined[i].queues = fmt.Sprintf("each of %d queues", n), strings.Join(of[key], ", ")
		}
	}
	return joined
}
