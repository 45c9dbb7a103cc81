package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/console/internal/audit"
)

// localForm shows the form that pauses or resumes a consumer in this process alone.
func (a *answer) localForm(queue string) {
	do, ok := a.orderKind(toPause, toResume)
	if !ok {
		return
	}
	v := a.view()
	h := a.here(v, queue)
	if h == nil {
		a.problem(&problem{Status: http.StatusNotFound, Title: "Not in this process", Text: "This process has no consumer of the queue " + queue + ".", Here: v.Link("c", queue)})
		return
	}
	d := orderData{
		Do: do, Verb: orderVerbs[do], Names: []string{queue}, Here: true, Queue: queue, Back: v.Link("c", queue), Running: h.Running,
		Post: v.link([]string{"c", queue, "order"}, "do", string(do)), Ordered: h.Ordered, ByApp: do == toResume && h.Pause == nil,
	}
	d.Button = d.Verb + " " + v.Cell(queue) + " in this process"
	if ticket, err := a.ticket(localOrder, queue, ordered{do, []string{queue}}); err == nil {
		d.Ticket = ticket
	}
	a.show(http.StatusOK, "order", page{Title: d.Verb, Here: "consumer", Data: d, view: v})
}

// giveLocal pauses or resumes a consumer in this process.
func (a *answer) giveLocal(queue string) {
	v := a.view()
	back := v.Link("c", queue)
	one, ok := a.take(localOrder, queue, back)
	if !ok {
		return
	}
	var o ordered
	if err := json.Unmarshal(one.Payload, &o); err != nil {
		a.undone(err, back)
		return
	}
	why := strings.TrimSpace(a.r.PostFormValue("why"))
	if len(why) > mostWhy {
		a.undone(fmt.Errorf("the reason has %d bytes, want %d at most", len(why), mostWhy), back)
		return
	}
	e := audit.Entry{Action: string(o.Do), Consumer: queue, Detail: fmt.Sprintf("this process, why=%q", why)}
	if !a.audit(e) {
		return
	}
	if o.Do == toPause {
		a.console.pauses.set(queue, pause{at: time.Now(), by: a.user.Name, why: why})
	}
	for _, c := range a.groupOf(queue) {
		if o.Do == toPause {
			c.Pause()
			continue
		}
		c.Resume()
	}
	if o.Do == toResume {
		a.console.pauses.forget(queue)
	}
	a.auditEnd(e, "done", nil)
	http.Redirect(a.w, a.r, back, http.StatusSeeOther)
}
