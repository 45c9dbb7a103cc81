package console

import (
	"net/http"
	"time"

	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/topology"
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
	m := a.console.musters.shown(a.r.Context())
	if !a.queues(v, l, &d) && d.Problem == "" && !known(m, queue) && a.groupOf(queue) == nil {
		if m == nil { // some process may have it
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
