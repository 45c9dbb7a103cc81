package console

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/internal/management"
)

// fleetData is what the page of the fleet shows.
type fleetData struct {
	Fleet       fleetState
	Stream      string
	Members     []memberRow
	Orders      []orderRow
	Troubles    []string // of processes
	Do          []doLink
	Connections []connectionRow
	API         bool
	APIErr      string
	Hidden      bool // connections of others are not shown
}

// connectionRow is a connection of a client.
type connectionRow struct {
	Key          string
	Name         string // as the client calls it, "" if it does not
	Address      string
	App, Version string
	Product      string
	User         string
	State        string
	Since        moment
	Consumes     []consumeRow
}

// consumeRow is a queue that a connection consumes.
type consumeRow struct {
	Queue    string
	Known    bool // it has a page
	Prefetch int
	Count    int // subscriptions
	Standby  bool
}

// fleet shows who is connected, and which processes obey orders.
func (a *answer) fleet() {
	v := a.view()
	m := a.console.musters.shown(a.r.Context())
	d := fleetData{Fleet: a.fleetState(v, m), Stream: a.console.musters.stream, API: a.console.broker.api != nil}
	d.Members = a.members(v, m, func(control.Member) bool { return true })
	d.Orders = a.orders(v, m, func(control.Order) bool { return true })
	if m != nil {
		d.Do = a.fleetLinks(v, m)
		for _, p := range m.processes {
			if p.Trouble != "" && a.user.may(See, "*") {
				d.Troubles = append(d.Troubles, processName(p)+": "+p.Trouble)
			}
		}
	}
	a.connections(v, &d)
	p := page{Title: "Fleet", Here: "fleet", Every: 5, Refresh: 10, Command: commandLine("control", "ls"), Data: d, view: v}
	if d.Fleet.Asking {
		p.Every, p.Refresh = 1, 2
	}
	a.show(http.StatusOK, "fleet", p)
}

// fleetLinks are the forms for all consumers that the viewer may order.
func (a *answer) fleetLinks(v view, m *muster) (all []doLink) {
	if a.console.cfg.ReadOnly {
		return nil
	}
	if names := a.user.names(m); len(names) > 0 {
		n := v.Plural(len(names), "consumer", "consumers")
		all = append(all, doLink{"Pause " + n, v.link([]string{"fleet", "order"}, "do", string(toPause))}, doLink{"Limit " + n, v.link([]string{"fleet", "order"}, "do", string(toLimit))})
	}
	n := 0
	for _, o := range m.orders {
		if a.user.mayOrder(Move, m, o.Consumer) {
			n++
		}
	}
	if n > 0 {
		all = append(all, doLink{"Lift " + v.Plural(n, "order", "orders"), v.link([]string{"fleet", "order"}, "do", string(toResume))})
	}
	return all
}

// connections adds the connections that the management API tells of.
func (a *answer) connections(v view, d *fleetData) {
	if !d.API {
		return
	}
	l := a.console.broker.look(a.r.Context())
	c := a.console.clients.ask(a.r.Context(), l.peer.VHost)
	if c.err != nil {
		d.APIErr = c.err.Error()
		return
	}
	all := a.user.may(See, "*")
	for _, one := range c.connections {
		row := connectionRow{
			Key: groupName(one.Name), Name: one.Given, Address: one.Host, App: one.Properties.Text("app"), Version: one.Properties.Text("app_version"),
			Product: one.Properties.Text("product"), User: one.User, State: one.State, Since: v.Time(one.Began()),
		}
		for _, x := range c.consumers[one.Name] {
			if a.user.may(See, x.Queue.Name) {
				row.add(x, l)
			}
		}
		if !all && len(row.Consumes) == 0 {
			d.Hidden = true
			continue
		}
		d.Connections = append(d.Connections, row)
	}
	slices.SortStableFunc(d.Connections, func(x, y connectionRow) int {
		return cmp.Or(cmp.Compare(x.App, y.App), cmp.Compare(x.Name, y.Name), cmp.Compare(x.Address, y.Address))
	})
}

// add counts a subscription.
func (r *connectionRow) add(c management.Consumer, l *look) {
	for i, known := range r.Consumes {
		if known.Queue == c.Queue.Name && known.Prefetch == c.Prefetch {
			r.Consumes[i].Count++
			return
		}
	}
	known := slices.ContainsFunc(l.consumers, func(s inspect.Status) bool { return s.Consumer == c.Queue.Name })
	r.Consumes = append(r.Consumes, consumeRow{Queue: c.Queue.Name, Known: known, Prefetch: c.Prefetch, Count: 1, Standby: !c.Active && l.queues[c.Queue.Name].Type != "stream"})
}

// connected is who is connected at one moment. It is immutable.
type connected struct {
	at          time.Time
	connections []management.Connection
	consumers   map[string][]management.Consumer // by the connection's name
	err         error
}

// clients asks the management API for connections, for all viewers.
type clients struct {
	api    *management.Client // nil without one; immutable
	turn   chan struct{}      // holds a token while nobody asks
	latest *connected         // of who has the token
}

func newClients(api *management.Client) *clients {
	c := &clients{api: api, turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	return c
}

// ask returns who is connected, 5 s old at most.
func (c *clients) ask(ctx context.Context, vhost string) *connected {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	select {
	case <-c.turn:
	case <-ctx.Done():
		return &connected{err: context.Cause(ctx)}
	}
	defer func() { c.turn <- struct{}{} }()
	if c.latest != nil && time.Since(c.latest.at) < lookEvery {
		return c.latest
	}
	next := &connected{consumers: map[string][]management.Consumer{}}
	var all []management.Consumer
	next.connections, all, next.err = c.api.Connected(ctx, vhost)
	for _, one := range all {
		next.consumers[one.Channel.Connection] = append(next.consumers[one.Channel.Connection], one)
	}
	next.at = time.Now()
	if next.err == nil || ctx.Err() == nil { // that of a viewer who has gone away is nobody else's
		c.latest = next
	}
	return next
}
