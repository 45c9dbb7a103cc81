package main

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/inspect"
)

// partitionsShown is what --json prints.
type partitionsShown struct {
	At             time.Time             `json:"at"`
	Broker         string                `json:"broker"`
	Queue          string                `json:"queue"`
	Partitions     int                   `json:"partitions"`
	PartitionsFrom inspect.NFrom         `json:"partitions_from"`
	List           []partitionShown      `json:"list"`
	ErrorQueues    []inspect.QueueStatus `json:"error_queues"`
	ManagementAPI  bool                  `json:"management_api"`
}

type partitionShown struct {
	inspect.Partition
	Handlers []handlingShown `json:"handlers"` // that processes with control.Module have told of
	Stuck    int             `json:"stuck"`
	Order    *orderShown     `json:"order"` // that stands for it
}

type handlingShown struct {
	handlerShown
	Process string `json:"process"`
}

// handling is what processes have told of one partition.
type handling struct {
	handlers []aHandler
	stuck    int
	paused   int // processes in which it is paused
	of       int // processes that have it
}

// handlingOf returns what processes have told of a partition.
func handlingOf(queue string, all []control.Process) (h handling) {
	for _, p := range all {
		for _, m := range p.Consumers {
			if m.Queue != queue {
				continue
			}
			h.of++
			h.stuck += m.Stuck
			if m.Paused {
				h.paused++
			}
			for _, one := range m.Running {
				h.handlers = append(h.handlers, aHandler{one, m.Name, processName(p)})
			}
		}
	}
	return h
}

func (a *app) printPartitions(r partitionsReport, watch bool) error {
	shown := partitionsShown{
		At: r.at.UTC().Truncate(time.Second), Broker: r.broker, Queue: r.Queue, Partitions: r.N, PartitionsFrom: r.NFrom,
		List: []partitionShown{}, ErrorQueues: r.Errors, ManagementAPI: r.Asked,
	}
	bad := false
	for _, p := range r.All {
		h := handlingOf(p.Queue, r.facts.processes)
		p.Still = p.Still || h.stuck > 0
		one := partitionShown{Partition: p, Handlers: []handlingShown{}, Stuck: h.stuck}
		for _, x := range h.handlers {
			one.Handlers = append(one.Handlers, handlingShown{handlerShown{x.MessageID, x.Given, x.Type, x.Attempt, known(x.Since), x.Stuck, x.Stack}, x.process})
		}
		if o, ok := r.facts.orderFor(p.Queue); ok {
			order := showOrder(o, heedOf(o, r.facts.orders, r.facts.processes))
			one.Order = &order
			p.Still = p.Still && !(o.Paused && p.Trouble == inspect.PartitionNobody) // it is wanted so
			one.Still = p.Still
		}
		bad = bad || p.Still || p.Trouble == inspect.PartitionShared
		shown.List = append(shown.List, one)
	}
	if a.json {
		if err := a.printJSON(shown, watch); err != nil {
			return err
		}
	} else if err := a.writePartitions(r, shown.List, watch); err != nil {
		return err
	}
	if bad && !watch {
		return found()
	}
	return nil
}

func (a *app) writePartitions(r partitionsReport, list []partitionShown, watch bool) error {
	var text strings.Builder
	if watch {
		if a.shows {
			text.WriteString("\x1b[H\x1b[2J") // clear the screen and write from its top
		}
		fmt.Fprintf(&text, "%s  %s\n", r.at.Local().Format(time.TimeOnly), r.broker)
	}
	t := table{heads: []string{"PARTITION", ">READY", ">UNACKED", ">RETRYING", "WHO", "HANDLES", "NOTE"}, elastic: []int{4, 5}}
	for _, p := range list {
		t.add(fmt.Sprintf("p%02d", p.Number), number(p.Ready), number(p.Unacked), number(p.Retrying), whoHas(p, r.Asked), handles(p, r.at), partitionNote(p, r.at))
	}
	t.print(&text, a.width())
	text.WriteString(r.summary(list))
	_, err := io.WriteString(a.out, text.String())
	return err
}

// whoHas returns who is active.
func whoHas(p partitionShown, asked bool) string {
	switch {
	case len(p.Handlers) > 0:
		return p.Handlers[0].Process
	case p.Holder != nil:
		return strings.TrimSpace(p.Holder.Connection + " " + p.Holder.Address)
	case !asked && p.Consumers != nil && *p.Consumers > 0:
		return "somebody"
	}
	return ""
}

// handles returns which message is in the handler, and for how long.
func handles(p partitionShown, now time.Time) string {
	if len(p.Handlers) == 0 {
		return ""
	}
	h := p.Handlers[0]
	text := fmt.Sprintf("%s, attempt %d", h.MessageID, h.Attempt)
	if h.Since != nil {
		text += ", for " + age(now, h.Since)
	}
	return text
}

func partitionNote(p partitionShown, now time.Time) string {
	var notes []string
	switch {
	case p.Trouble == inspect.PartitionShared:
		notes = append(notes, "not single: no order")
	case p.Order != nil && p.Order.Order == "paused" && p.Trouble == inspect.PartitionNobody:
	case p.Trouble != "":
		notes = append(notes, string(p.Trouble))
	}
	if p.Stuck > 0 {
		notes = append(notes, "stuck")
	}
	if n := len(p.Handlers); n > 1 {
		notes = append(notes, fmt.Sprintf("%d handle it at once", n))
	}
	if p.Order != nil {
		notes = append(notes, orderNote(*p.Order, now))
	}
	return strings.Join(notes, ", ")
}

// orderNote says what stands, and until when.
func orderNote(o orderShown, now time.Time) string {
	text := o.Order
	if o.Limit > 0 {
		text = fmt.Sprintf("limit %d", o.Limit)
	}
	if o.Until != nil {
		return text + " until " + clock(*o.Until, now)
	}
	return text + " until resumed"
}

// summary returns the lines below the table.
func (r partitionsReport) summary(list []partitionShown) string {
	var text strings.Builder
	from := map[inspect.NFrom]string{
		inspect.NGiven: "as was said", inspect.NProcesses: "as processes have them",
		inspect.NConsumers: "up to the last one that has a consumer: --of says how many there should be",
		inspect.NQueues:    "as exist: --of says how many there should be",
	}
	fmt.Fprintf(&text, "%s, %s\n", counted(r.N, "partition", "partitions"), from[r.NFrom])
	holders := map[string]int{}
	most, still := 0, 0
	for _, p := range list {
		if p.Still {
			still++
		}
		if p.Holder != nil {
			name := p.Holder.Address
			holders[name]++
			most = max(most, holders[name])
		}
	}
	if len(holders) > 0 {
		fmt.Fprintf(&text, "%s active, the busiest with %s\n", counted(len(holders), "connection is", "connections are"), counted(most, "partition", "partitions"))
	}
	if still > 0 {
		fmt.Fprintf(&text, "%s still\n", counted(still, "partition stands", "partitions stand"))
	}
	for _, p := range list {
		if p.Gone != nil {
			text.WriteString(fold(fmt.Sprintf("%s is held by consumer %s, which has ended, and nobody else gets a message until the consumer timeout has passed. To go on now start its leader, on node %s, again. docs/OPERATIONS.md#a-partition-that-is-held-by-nobody",
				plain(p.Queue), plain(p.Gone.Tag), plain(cmp.Or(p.Gone.Node, "of the queue"))), "") + "\n")
		}
	}
	for _, q := range r.Errors {
		if q.Ready != nil && *q.Ready > 0 {
			fmt.Fprintf(&text, "%s parked in %s: bunnicula errors groups %[2]s\n", counted(*q.Ready, "message is", "messages are"), plain(q.Queue))
		}
	}
	if !r.Asked {
		text.WriteString("who has which, the management API tells: --management-url\n")
	}
	switch {
	case r.facts.err != nil || r.facts.unasked != nil:
		fmt.Fprintf(&text, "which messages are handled is not known: %s\n", plain(cmp.Or(r.facts.err, r.facts.unasked).Error()))
	case r.facts.missing:
		text.WriteString("which messages are handled, apps with control.Module tell\n")
	}
	return text.String()
}
