package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/bunnicula-go/bunnicula/console/internal/operation"
	"github.com/bunnicula-go/bunnicula/console/internal/snapshot"
)

// The forms of plans, one for each kind, so that the table of routes says which right each needs.
func (a *answer) redrive(queue string) { a.do(queue, operation.Redrive) }
func (a *answer) archive(queue string) { a.do(queue, operation.Archive) }
func (a *answer) remove(queue string)  { a.do(queue, operation.Delete) }
func (a *answer) export(queue string)  { a.do(queue, operation.Export) }

// deed is what the form of a plan asks for, after all has been checked that can be.
type deed struct {
	ticket ticket
	plan   planned
	intent operation.Intent
}

// do begins what a plan has shown.
func (a *answer) do(queue string, kind operation.Kind) {
	form, refused := a.form()
	if refused != nil {
		a.problem(refused)
		return
	}
	back := a.view().Link("q", queue)
	one, ok := a.readTicket(action(kind), queue, back)
	if !ok {
		return
	}
	d := deed{ticket: one}
	if json.Unmarshal(one.Payload, &d.plan) != nil || d.plan.Kind != kind {
		a.noTicket(errTicket, back)
		return
	}
	if a.used(one) || !a.decide(queue, form, &d) || !a.useTicket(one, a.view().Link("ops", one.ID)) {
		return
	}
	a.start(d.intent)
}

// used answers for a plan that was carried out already.
func (a *answer) used(one ticket) bool {
	_, known := a.console.runner.State(one.ID)
	if known {
		a.noTicket(errUsed, a.view().Link("ops", one.ID))
	}
	return known
}

// decide checks a plan anew, and makes the intent. It answers the request itself if the plan is not
// to be carried out.
func (a *answer) decide(queue string, form url.Values, d *deed) bool {
	s, ok := a.planned(queue, d.plan)
	if !ok {
		return false
	}
	sel := d.plan.selection
	from, refused := a.goesOn(queue, &sel)
	if refused != nil {
		a.problem(refused)
		return false
	}
	seen, err := a.survey(s, sel, from)
	if err != nil {
		a.failed(err)
		return false
	}
	ways := a.console.cfg.waysOf(queue)
	typed := optionsOf(form)
	set, missed := typed.check(sel.Kind, queue, ways.main)
	typed.checkSure(missed, sel, queue)
	if len(missed) > 0 {
		form.Set("filled", "1")
		a.planWith(queue, d.plan.form(form), missed)
		return false
	}
	if text := refuse(a.user, sel.Kind, seen, aimsOf(a.user, sel.Kind, seen, ways, set), set); text != "" {
		a.problem(&problem{Status: http.StatusConflict, Title: "Not done", Text: text, Do: "Nothing was changed.", Here: a.view().QueueLink(queue, sel.Filter), Link: "Back to the queue"})
		return false
	}
	if id, busy := a.occupied(queue); busy {
		a.busy(id)
		return false
	}
	d.intent = d.plan.intent(d.ticket.ID, s, seen, set, from)
	d.intent.Who, d.intent.From, d.intent.At = a.user.Name, a.from(), time.Now()
	return true
}

// planned returns the reading of a plan.
func (a *answer) planned(queue string, p planned) (*snapshot.Snapshot, bool) {
	r, ok := a.open(queue)
	if !ok {
		return nil, false
	}
	s := r.Version(p.Snapshot)
	if s == nil || !s.Began().Equal(p.Began) {
		a.problem(&problem{
			Status: http.StatusConflict, Title: "Plan again", Here: a.view().QueueLink(queue, p.Filter), Link: "Back to the queue",
			Text: "The reading in which these messages were counted is gone. Nothing was changed.", Do: "Choose the messages again.",
		})
		return nil, false
	}
	return s, true
}

// start writes the audit, starts an operation, and leads to its page.
func (a *answer) start(i operation.Intent) {
	page := a.view().Link("ops", i.ID)
	if !a.audit(auditOf(i)) {
		return
	}
	err := a.console.runner.Start(i)
	if err != nil {
		e := auditOf(i)
		e.Err = err.Error()
		a.auditEnd(e, "refused", nil)
	}
	switch {
	case err == nil:
		http.Redirect(a.w, a.r, page, http.StatusSeeOther)
	case errors.Is(err, operation.ErrUsed):
		a.noTicket(errUsed, page)
	case errors.Is(err, operation.ErrBusy):
		id, _ := a.console.runner.RunsOn(i.Queue)
		a.busy(id)
	case errors.Is(err, operation.ErrJournal):
		a.problem(&problem{
			Status: http.StatusInternalServerError, Title: "Not done", Text: sentence(err),
			Do: "Look at the directory of StateDir (--state-dir): it must be writable and have space. Then plan again.", Here: a.view().Link("q", i.Queue), Link: "Back to the queue",
		})
	default:
		a.problem(&problem{Status: http.StatusConflict, Title: "Not done", Text: sentence(err), Do: "Nothing was changed. Plan again.", Here: a.view().Link("q", i.Queue), Link: "Back to the queue"})
	}
}

const (
	freedWithin = 5 * time.Second
	freedEvery  = 10 * time.Millisecond
)

// occupied says whether an operation runs on a queue, and which. It waits for one that is over to
// free the queue, which takes as long as the end of the journal.
func (a *answer) occupied(queue string) (id string, busy bool) {
	runner := a.console.runner
	for until := time.Now().Add(freedWithin); ; time.Sleep(freedEvery) {
		id, busy = runner.RunsOn(queue)
		if s, _ := runner.State(id); !busy || !s.Status.Over() || time.Now().After(until) {
			return id, busy
		}
	}
}

// busy answers for a queue on which an operation runs.
func (a *answer) busy(id string) {
	a.problem(&problem{
		Status: http.StatusConflict, Title: "The queue is busy", Here: a.view().Link("ops", id), Link: "The operation",
		Text: "An operation runs on this queue, and a queue has one at a time. Nothing was changed by this request.",
		Do:   "Wait until it has ended, or stop it. Then plan again: the numbers will be others.",
	})
}
