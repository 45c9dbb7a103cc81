package console

import (
	"net/http"
	"slices"
	"time"

	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/topology"
	"github.com/bunnicula-go/bunnicula/topology/topologyfile"
)

// consumerData is what the page of a consumer shows.
type consumerData struct {
	Queue   string // the main queue, or the queue that is partitioned
	At      moment
	Problem string // of the broker
	APIErr  string
	API     bool // there is a management API

	Chart    pastData
	Hour     string // links of the spans
	Day      string
	Rows     []queueRow
	Parts    []partitionRow
	Picture  picture
	Ways     []edgeRow
	Parked   parkedData
	Handlers []handlerRow
	More     int // handlers that are not shown
	Unnamed  bool
	Here     *here // what this process has of it, nil if nothing
	Fleet    fleetState
	Members  []memberRow
	Orders   []orderRow
	Do       []doLink // what the viewer may order
}

// queueRow is a queue of a consumer.
type queueRow struct {
	Name      string
	Role      string
	Delay     string
	State     inspect.State
	Ready     *int
	Unacked   *int
	Consumers *int
	Unserved  bool
	Oldest    moment
	BackBy    moment
	Problems  []string
	Link      string // of an error queue, "" if it may not be opened
}

// partitionRow is a partition of the queue.
type partitionRow struct {
	Number                    int
	Link                      string
	Name                      string
	State                     inspect.State
	Ready, Unacked, Consumers *int
	Unserved                  bool
	Oldest                    moment
	Retrying                  int
	Quarantine                *int
	Problems                  []string
}

// doLink leads to a form.
type doLink struct{ Text, Href string }

// fleetState says what is known of the processes that obey orders.
type fleetState struct {
	Asking      bool // for the first time
	At          moment
	Processes   int
	Trouble, Do string
	OrdersErr   string
}

// consumer shows one consumer: its queues, what it does and who does it.
func (a *answer) consumer(queue string) {
	v := a.view()
	l := a.console.broker.look(a.r.Context())
	d := consumerData{Queue: queue, At: v.Time(l.at), API: a.console.broker.api != nil}
	if l.err != nil {
		d.Problem = l.err.Error()
	}
	if l.apiErr != nil {
		d.APIErr = l.apiErr.Error()
	}
	m, asking := a.console.musters.look()
	if !a.queues(v, l, &d) && d.Problem == "" && !known(m, queue) && a.groupOf(queue) == nil {
		if asking != nil && m == nil { // some process may have it
			m = a.console.musters.get(a.r.Context())
		}
		if !known(m, queue) {
			a.problem(&problem{Status: http.StatusNotFound, Title: "No such consumer", Text: "There is no consumer of a queue " + queue + " here.",
				Do: "Consumers are those of the topology file, or those whose queues the management API shows."})
			return
		}
	}
	s := hourSpan
	if a.r.URL.Query().Get("span") == "day" {
		s = daySpan
	}
	d.Hour, d.Day = v.Link("c", queue), v.link([]string{"c", queue}, "span", "day")
	d.Chart = drawn(v, a.pastOf(l, queue, s), l.at)
	d.Picture, d.Ways = a.excerpt(l, queue)
	d.Parked = a.parkedHere(v, queue, v.now.Add(-time.Hour))
	d.Handlers, d.More = a.handlers(v, m, queue)
	d.Unnamed = !a.user.may(Read, queue)
	d.Here = a.here(v, queue)
	d.Fleet = a.fleetState(v, m)
	d.Members = a.members(v, m, func(c control.Member) bool { return isOf(queue, c) })
	d.Orders = a.orders(v, m, func(o control.Order) bool { return m.isFor(o, queue) })
	d.Do = a.links(v, m, &d)
	p := page{Title: queue, Here: "consumer", Every: 5, Refresh: 10, Command: commandLine("status", queue), Data: d, view: v}
	if d.Fleet.Asking {
		p.Every, p.Refresh = 1, 2
	}
	status := http.StatusOK
	if l.err != nil {
		status = http.StatusBadGateway
	}
	a.show(status, "consumer", p)
}

// known says whether a process has told of a consumer of the queue.
func known(m *muster, queue string) bool {
	if m == nil {
		return false
	}
	for _, p := range m.processes {
		for _, c := range p.Consumers {
			if isOf(queue, c) {
				return true
			}
		}
	}
	return false
}

// ofQueue says whether a name is that of the queue, or of a partition of it.
func ofQueue(queue, name string) bool {
	of, _, is := topology.PartitionOf(name)
	return name == queue || is && of == queue
}

// queues adds the queues and partitions, and says whether there are some.
func (a *answer) queues(v view, l *look, d *consumerData) (some bool) {
	for _, s := range l.consumers {
		switch {
		case s.Consumer == d.Queue:
			some = true
			for _, q := range s.Queues {
				d.Rows = append(d.Rows, a.queueRow(v, q))
			}
		case ofQueue(d.Queue, s.Consumer):
			some = true
			a.partition(v, s, d)
		}
	}
	return some
}

func (a *answer) queueRow(v view, q inspect.QueueStatus) queueRow {
	row := queueRow{Name: q.Queue, Role: string(q.Role), Delay: q.Delay, State: q.State, Ready: q.Ready, Unacked: q.Unacked, Consumers: q.Consumers, Problems: q.Problems}
	row.Unserved = q.Role == topology.RoleMain && q.Consumers != nil && *q.Consumers == 0
	if q.Oldest != nil {
		row.Oldest = v.Time(*q.Oldest)
	}
	if q.BackBy != nil {
		row.BackBy = v.Time(*q.BackBy)
	}
	if q.Role == topology.RoleError && q.State != inspect.Absent && a.user.may(See, q.Queue) {
		row.Link = v.Link("q", q.Queue)
	}
	return row
}

// partition adds the row of a partition. All of them park in one error queue, which is listed once.
func (a *answer) partition(v view, s inspect.Status, d *consumerData) {
	_, number, _ := topology.PartitionOf(s.Consumer)
	row := partitionRow{Number: number, Name: s.Consumer, Link: v.Link("c", s.Consumer)}
	for _, q := range s.Queues {
		one := a.queueRow(v, q)
		row.Problems = append(row.Problems, q.Problems...)
		switch q.Role {
		case topology.RoleMain:
			row.State, row.Ready, row.Unacked, row.Consumers, row.Unserved, row.Oldest = q.State, q.Ready, q.Unacked, q.Consumers, one.Unserved, one.Oldest
		case topology.RoleRetry:
			if q.Ready != nil {
				row.Retrying += *q.Ready
			}
		case topology.RoleQuarantine:
			row.Quarantine = q.Ready
		case topology.RoleError:
			listed := false
			for _, r := range d.Rows {
				listed = listed || r.Name == q.Queue
			}
			if !listed {
				d.Rows = append(d.Rows, one)
			}
		}
	}
	d.Parts = append(d.Parts, row)
}

// excerpt draws the part of the topology that is the consumer's.
func (a *answer) excerpt(l *look, queue string) (picture, []edgeRow) {
	var own []topology.Topology
	file := a.console.cfg.Topology.Topologies()
	for _, t := range file {
		if ofQueue(queue, inspect.FromTopology(t).Name) {
			own = append(own, t)
		}
	}
	for _, s := range l.consumers {
		if c, err := guessed(s); err == nil && len(file) == 0 && ofQueue(queue, s.Consumer) {
			own = append(own, c.Topology)
		}
	}
	g := a.seen(inspect.GraphOf(own...))
	ready := map[string]*int{}
	for _, s := range l.consumers {
		for _, q := range s.Queues {
			ready[q.Queue] = q.Ready
		}
	}
	labels, depths := map[int]string{}, map[int]*int{}
	for _, n := range g.Nodes {
		labels[n.ID], depths[n.ID] = n.Label, sum(ready, n.Queues)
	}
	var ways []edgeRow
	for _, e := range g.Edges {
		ways = append(ways, edgeRow{labels[e.From], labels[e.To], e.Label, string(e.Mover)})
	}
	return pictureOf(g, depths), ways
}

// guessed is a consumer of which only the queues are known.
func guessed(s inspect.Status) (topologyfile.Consumer, error) {
	plan := topology.Plan{Queue: s.Consumer}
	for _, q := range s.Queues {
		if d, err := inspect.ParseDelay(q.Delay); err == nil && q.Role == topology.RoleRetry {
			plan.Delays = append(plan.Delays, d)
		}
	}
	t, err := topology.New(plan)
	return topologyfile.Consumer{Plan: plan, Topology: t}, err
}

// fleetState says what is known of the fleet.
func (a *answer) fleetState(v view, m *muster) fleetState {
	if m == nil {
		return fleetState{Asking: true}
	}
	f := fleetState{At: v.Time(m.at), Processes: len(m.processes)}
	f.Trouble, f.Do = m.trouble(a.console.musters.stream)
	if m.ordersErr != nil && f.Trouble == "" {
		f.OrdersErr = m.ordersErr.Error()
	}
	return f
}

// links are the forms for this consumer that the viewer may send.
func (a *answer) links(v view, m *muster, d *consumerData) (all []doLink) {
	if a.console.cfg.ReadOnly || !a.user.may(Move, d.Queue) {
		return nil
	}
	form := func(do orderKind) string {
		var parameters []string
		for _, name := range orderNames(m, d.Queue) {
			parameters = append(parameters, "name", name)
		}
		return v.many([]string{"fleet", "order"}, append(parameters, "do", string(do))...)
	}
	if len(d.Members) > 0 {
		all = append(all, doLink{"Pause in all processes", form(toPause)}, doLink{"Limit in all processes", form(toLimit)})
		if len(d.Orders) > 0 {
			all = append(all, doLink{"Resume in all processes", form(toResume)})
		}
	}
	if d.Here != nil {
		do, text := toPause, "Pause in this process alone"
		if d.Here.Paused {
			do, text = toResume, "Resume in this process"
		}
		all = append(all, doLink{text, v.link([]string{"c", d.Queue, "order"}, "do", string(do))})
	}
	return all
}

// orderNames are the names by which orders for the consumers of a queue are given.
func orderNames(m *muster, queue string) (all []string) {
	if m == nil {
		return nil
	}
	for _, p := range m.processes {
		for _, c := range p.Consumers {
			name := c.Name
			if c.Partitions == queue {
				name = queue
			}
			if isOf(queue, c) && !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}
