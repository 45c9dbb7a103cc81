package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/console/internal/audit"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// orderKind is what an order of the fleet, or of this process, does.
type orderKind string

const (
	toPause  orderKind = "pause"
	toLimit  orderKind = "limit"
	toResume orderKind = "resume"
)

const (
	mostWhy    = 500 // bytes
	mostBy     = 255 // bytes
	mostNamed  = 200 // consumers of one order
	fleetOrder = action("order to the fleet")
	localOrder = action("order to this process")
)

// lasting are the times for which an order can stand.
var lasting = []struct {
	Value, Text string
	time        time.Duration
}{
	{"15m", "15 minutes", 15 * time.Minute},
	{"1h", "1 hour", time.Hour},
	{"4h", "4 hours", 4 * time.Hour},
	{"12h", "12 hours", 12 * time.Hour},
	{"1d", "1 day", 24 * time.Hour},
	{"7d", "7 days", 7 * 24 * time.Hour},
	{"forever", "until somebody resumes it", 0},
}

// orderData is what the form of an order shows, or what came of it.
type orderData struct {
	Do       orderKind
	Verb     string // "Pause", "Limit", "Resume"
	Names    []string
	Unknown  []string // of them, those that no process has told of
	Here     bool     // this process alone
	Queue    string   // of the consumer's page, "" for that of the fleet
	Back     string   // the link there
	Orders   []orderRow
	Lasting  any
	Most     int // the highest limit
	Running  int // handlers
	Button   string
	Post     string
	Ticket   string
	Members  []memberRow
	Trouble  string
	TroubleD string
	ByApp    bool // the app has paused it, and not a console
	Ordered  bool // an order pauses it too

	Done   bool
	Result string
	Silent int
}

// ordered is what the ticket of an order says.
type ordered struct {
	Do    orderKind `json:"d"`
	Names []string  `json:"n"`
}

var orderVerbs = map[orderKind]string{toPause: "Pause", toLimit: "Limit", toResume: "Resume"}

// kindOf reads what the link wants. It answers the request itself if that is nothing.
func (a *answer) orderKind(all ...orderKind) (orderKind, bool) {
	do := orderKind(a.r.URL.Query().Get("do"))
	if slices.Contains(all, do) {
		return do, true
	}
	a.problem(&problem{Status: http.StatusNotFound, Title: "No such order", Text: "There is no order of this name.", Here: a.view().Link("fleet")})
	return "", false
}

// fleetForm shows the form of an order to consumers of all processes: to those that the link names,
// or to all that the viewer may order.
func (a *answer) fleetForm() {
	do, ok := a.orderKind(toPause, toLimit, toResume)
	if !ok {
		return
	}
	v := a.view()
	m := a.console.musters.get(a.r.Context())
	names := a.named(m, do)
	if refused := a.refuseNames(m, names); refused != nil {
		a.problem(refused)
		return
	}
	d := orderData{Do: do, Verb: orderVerbs[do], Names: names, Back: v.Link("fleet"), Post: v.many([]string{"fleet", "order"}, "do", string(do)), Lasting: lasting}
	if queues := m.queuesOf(names[0]); len(names) == 1 && len(queues) == 1 {
		d.Queue, d.Back = queues[0], v.Link("c", queues[0])
	}
	for _, name := range names {
		if len(m.queuesOf(name)) == 0 {
			d.Unknown = append(d.Unknown, name)
		}
	}
	concerned := func(c control.Member) bool {
		return slices.ContainsFunc(names, func(name string) bool { return concerns(name, c) })
	}
	d.Members = a.members(v, m, concerned)
	d.Orders = a.orders(v, m, func(o control.Order) bool { return slices.Contains(names, o.Consumer) })
	d.Trouble, d.TroubleD = m.trouble(a.console.musters.stream)
	var processes int
	processes, d.Running, d.Most = m.reach(names)
	d.Button = fmt.Sprintf("%s %s in %s", d.Verb, consumersOf(v, names), v.Plural(processes, "process", "processes"))
	if ticket, err := a.ticket(fleetOrder, "fleet", ordered{do, names}); err == nil {
		d.Ticket = ticket
	}
	a.show(http.StatusOK, "order", page{Title: d.Verb, Here: "fleet", Data: d, view: v, Command: commandLine(append([]string{"control", string(do)}, names...)...)})
}

func consumersOf(v view, names []string) string {
	if len(names) == 1 {
		return v.Cell(names[0])
	}
	return v.Plural(len(names), "consumer", "consumers")
}

// named returns the names that the link has, or else all that the viewer may order; to resume, all
// for which an order stands.
func (a *answer) named(m *muster, do orderKind) []string {
	names := slices.Compact(slices.Sorted(slices.Values(a.r.URL.Query()["name"])))
	if len(names) > 0 {
		return names
	}
	if do != toResume {
		return a.user.names(m)
	}
	for _, o := range m.orders {
		if a.user.mayOrder(Move, m, o.Consumer) {
			names = append(names, o.Consumer)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// refuseNames says why the viewer may not order what has these names, nil if that is allowed.
func (a *answer) refuseNames(m *muster, names []string) *problem {
	v := a.view()
	switch {
	case len(names) == 0 && m.err != nil:
		text, do := m.trouble(a.console.musters.stream)
		return &problem{Status: http.StatusBadGateway, Title: "The fleet cannot be asked", Text: text, Do: do, Here: v.Link("fleet")}
	case len(names) == 0:
		return &problem{Status: http.StatusNotFound, Title: "Nothing to order", Text: "No process has told of a consumer that you may order, and no order stands.", Here: v.Link("fleet")}
	case len(names) > mostNamed:
		return &problem{Status: http.StatusBadRequest, Title: "Too many", Text: fmt.Sprintf("An order from here is for %d consumers at most.", mostNamed), Do: "bunnicula control takes patterns.", Here: v.Link("fleet")}
	}
	for _, name := range names {
		if name == "" || len(name) > 255 || strings.Contains(name, "*") {
			return &problem{Status: http.StatusBadRequest, Title: "No such consumer", Text: "The link names no consumer.", Here: v.Link("fleet")}
		}
		if !a.user.mayOrder(Move, m, name) {
			return &problem{Status: http.StatusForbidden, Title: "Not yours to pause", Text: "You may not pause the consumer " + foreign.Line(name, 120) + ", or no process has told which queue it has.", Here: v.Link("fleet")}
		}
	}
	return nil
}

// command reads the form.
func (a *answer) command(o ordered) (c control.Command, limit int, err error) {
	c = control.Command{Consumers: o.Names, Why: strings.TrimSpace(a.r.PostFormValue("why")), By: foreign.Cut(a.user.Name, mostBy)}
	if len(c.Why) > mostWhy {
		return c, 0, fmt.Errorf("the reason has %d bytes, want %d at most", len(c.Why), mostWhy)
	}
	if o.Do == toLimit {
		if limit = number(a.r.PostFormValue("limit")); limit < 1 {
			return c, 0, errors.New("the limit is no number of 1 or more")
		}
	}
	if o.Do == toResume {
		return c, 0, nil
	}
	during := a.r.PostFormValue("for")
	for _, l := range lasting {
		if l.Value == during {
			c.For, c.Forever = l.time, l.time == 0
			return c, limit, nil
		}
	}
	return c, 0, errors.New("the form does not say for how long")
}

// giveFleet gives an order that a form wants.
func (a *answer) giveFleet() {
	v := a.view()
	one, ok := a.take(fleetOrder, "fleet", v.Link("fleet"))
	if !ok {
		return
	}
	var o ordered
	if err := json.Unmarshal(one.Payload, &o); err != nil {
		a.undone(err, v.Link("fleet"))
		return
	}
	m := a.console.musters.get(a.r.Context())
	if refused := a.refuseNames(m, o.Names); refused != nil { // rights may have changed
		a.problem(refused)
		return
	}
	c, limit, err := a.command(o)
	if err != nil {
		a.undone(err, v.Link("fleet"))
		return
	}
	e := audit.Entry{Action: string(o.Do), Consumer: strings.Join(o.Names, " ")}
	e.Detail = fmt.Sprintf("the fleet, limit=%d for=%s forever=%v why=%q", limit, c.For, c.Forever, c.Why)
	if !a.audit(e) {
		return
	}
	c.Anyway = true // what the form has named may have gone since; who starts later obeys too
	receipt, err := a.giveOrder(o.Do, limit, c)
	a.auditEnd(e, fmt.Sprintf("%d processes obey, %d are silent", len(receipt.Obeyed), receipt.Silent), err)
	if err != nil {
		a.ungiven(err)
		return
	}
	a.given(v, o, c, limit, receipt)
}

// giveOrder gives it. A viewer who goes away does not end it.
func (a *answer) giveOrder(do orderKind, limit int, c control.Command) (r control.Receipt, err error) {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(a.r.Context()), orderFor, fmt.Errorf("no answer within %s", orderFor))
	defer cancel()
	err = a.console.musters.with(func(f fleet) error {
		switch do {
		case toPause:
			r, err = f.Pause(ctx, c)
		case toLimit:
			r, err = f.Limit(ctx, limit, c)
		case toResume:
			r, err = f.Resume(ctx, c)
		}
		return err
	})
	return r, err
}
