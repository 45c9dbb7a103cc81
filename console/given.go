package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/control"
)

// given says what came of an order.
func (a *answer) given(v view, o ordered, c control.Command, limit int, r control.Receipt) {
	d := orderData{Do: o.Do, Verb: orderVerbs[o.Do], Names: o.Names, Back: v.Link("fleet"), Done: true, Silent: r.Silent}
	m := &muster{processes: r.Obeyed, orders: r.Orders}
	if queues := m.queuesOf(o.Names[0]); len(o.Names) == 1 && len(queues) == 1 {
		d.Queue, d.Back = queues[0], v.Link("c", queues[0])
	}
	d.Members = a.members(v, m, func(control.Member) bool { return true })
	d.Orders = a.orders(v, m, func(control.Order) bool { return true })
	said := map[orderKind]string{toPause: "Paused", toLimit: fmt.Sprintf("Limited to %d handlers a process", limit), toResume: "Resumed"}[o.Do]
	if o.Do == toLimit {
		said += ":"
	}
	d.Result = fmt.Sprintf("%s %s in %s, within %s.", said, consumersOf(v, o.Names), v.Plural(len(r.Obeyed), "process", "processes"), r.Took.Round(10*time.Millisecond))
	for i := range d.Orders {
		d.Orders[i].Resume = "" // the muster of the receipt has only who obeys
	}
	a.show(http.StatusOK, "order", page{Title: "Done", Here: "fleet", Data: d, view: v, Command: orderLine(o, c, limit)})
}

// orderLine is the line of a shell that gives the same order.
func orderLine(o ordered, c control.Command, limit int) string {
	words := append([]string{"control", string(o.Do)}, o.Names...)
	if o.Do == toLimit {
		words = append(words, fmt.Sprint(limit))
	}
	switch {
	case c.Forever:
		words = append(words, "--until-resumed")
	case c.For > 0:
		words = append(words, "--for", strings.TrimSuffix(strings.TrimSuffix(c.For.String(), "0s"), "0m"))
	}
	if c.Why != "" {
		words = append(words, "--why", c.Why)
	}
	return commandLine(words...)
}

// undone says that a form was not obeyed.
func (a *answer) undone(err error, back string) {
	a.problem(&problem{Status: http.StatusBadRequest, Title: "Not done", Text: "Nothing was changed: " + err.Error() + ".", Do: "Open the form again, and send it.", Here: back})
}

// ungiven says why an order was not given, or that this is unknown.
func (a *answer) ungiven(err error) {
	back := a.view().Link("fleet")
	var limit *control.LimitError
	var unknown *control.UnknownError
	switch {
	case errors.As(err, &limit), errors.As(err, &unknown):
		a.undone(err, back)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		a.problem(&problem{Status: http.StatusBadGateway, Title: "It is not known whether it was done", Text: err.Error(), Do: "Look at the orders that stand.", Here: back})
	default:
		text, do := (&muster{err: err}).trouble(a.console.musters.stream)
		a.problem(&problem{Status: http.StatusBadGateway, Title: "Not done", Text: text, Do: do, Here: back})
	}
}
