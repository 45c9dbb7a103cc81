package console

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/bunnicula-go/bunnicula/console/internal/audit"
	"github.com/bunnicula-go/bunnicula/console/internal/operation"
	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// operationData is what the page of an operation shows.
type operationData struct {
	operationRow
	State    operation.State
	Over     bool
	Error    string
	Memory   bool
	From     string // from where it was asked for
	Ended    moment
	Took     string
	Settings []setting
	Lines    []string // the report in words
	Rest     string   // how long it takes yet, "" if unknown
	Batch    int      // the present one, 0 without batches
	Batches  int      // how many there will be
	Each     []batchRow
	List     string // the link of those that failed again, ""
	Failures []errorqueue.Failure
	More     int    // failures that are not shown
	File     string // the link of its file
	FileSays string
	Until    moment
	Earlier  string // the link of the operation that this one goes on with
	Later    string // the link of one that goes on with this one
	Ticket   string // to stop it, "" without the right
	QueueTo  string // the link of the error queue
}

// setting is an option that was chosen.
type setting struct{ Name, Value string }

// batchRow is one batch.
type batchRow struct {
	operation.Batch
	State   string
	Unknown bool // nobody has watched whether any failed again
	Again   []againRow
	More    int // failed again, and not shown
}

// againRow is a message that failed again.
type againRow struct {
	operation.Again
	Link    string // "" if the viewer may not read it
	Compare string
	Was, Is moment
}

const mostAgain = 20 // of a batch, on the page

// operation shows one operation.
func (a *answer) operation(id string) {
	s, ok := a.state(id, See)
	if !ok {
		return
	}
	v, h := a.view(), a.console.history()
	d := operationData{
		operationRow: a.operationRow(v, h, s), State: s, Over: s.Status.Over(), Error: s.Err, Memory: !a.console.runner.Durable(), From: s.From,
		Settings: settingsOf(s), QueueTo: v.Link("q", s.Queue), Batches: batchCount(s.Count, s.Intent.Batches), Batch: s.Progress.Batch,
	}
	d.Ended = v.Time(s.Ended)
	d.describe(a, v, h, s)
	if !d.Over && a.user.may(stopRight(s.Kind), s.Queue) {
		ticket, err := a.ticket(stopAction, id, nil)
		if err != nil {
			a.failed(err)
			return
		}
		d.Ticket = ticket
	}
	p := page{Title: d.Verb + ", " + s.Queue, Here: "ops", Data: d, view: v}
	if a.user.may(Read, s.Queue) { // it has the filter
		p.Command = operationCommand(s)
	}
	if !d.Over {
		p.Events, p.Refresh = v.Link("ops", id, "events"), 2
	}
	a.show(http.StatusOK, "operation", p)
}

const stopAction action = "stop"

// state returns an operation that the viewer has a right to. It answers the request itself if there
// is none.
func (a *answer) state(id string, right Right) (operation.State, bool) {
	s, ok := a.console.runner.State(id)
	switch {
	case !ok || !a.user.may(See, s.Queue): // that it exists is told to nobody else
		a.problem(&problem{
			Status: http.StatusNotFound, Title: "No such operation", Text: "There is no operation of this name, or not for you.",
			Do: "Without a state directory operations are forgotten with the process.", Here: a.view().Link("ops"),
		})
		return s, false
	case !a.user.may(right, s.Queue):
		a.problem(refusal(right, true, false))
		return s, false
	}
	return s, true
}

// stopRight is what it takes to stop an operation: who may begin an export may end it, and whatever
// moves messages is stopped by who may move them.
func stopRight(kind operation.Kind) Right { return min(rights[kind], Move) }

// describe adds the report, batches and files.
func (d *operationData) describe(a *answer, v view, h history, s operation.State) {
	if d.Over && !s.Ended.IsZero() {
		d.Took = took(s.Ended.Sub(s.Began))
	}
	d.Lines, d.Rest = reportLines(v, s), rest(s, v.now)
	reads := a.user.may(Read, s.Queue)
	for i, b := range s.Batches {
		d.Each = append(d.Each, a.batchRow(v, s, b, !d.Over && i == len(s.Batches)-1, reads))
	}
	if d.Again > 0 || d.Over && s.Kind == operation.Redrive && s.Report.Moved > 0 {
		d.List = a.anew(v, s.Queue, errorqueue.Filter{RedriveIDs: []string{s.RedriveID}})
	}
	const shown = 10
	if reads {
		d.Failures = s.Report.Failures[:min(len(s.Report.Failures), shown)]
	}
	d.More = s.Report.Failed - len(d.Failures)
	if s.File && reads {
		d.File, d.Until = v.Link("ops", s.ID, "file"), v.Time(s.FileUntil)
		d.FileSays = "the copy that was made first"
		if s.Kind == operation.Export {
			d.FileSays = "the export"
		}
	}
	if s.GoesOn != "" {
		d.Earlier = v.Link("ops", s.GoesOn)
	}
	if later := h.later[s.ID]; later != "" {
		d.Later = v.Link("ops", later)
	}
}

// anew is the link of a list that a reading precedes: messages that were parked after the operation
// has read the queue would be missing otherwise.
func (a *answer) anew(v view, queue string, f errorqueue.Filter) string {
	next := 1
	for _, r := range a.console.store.Readings() {
		if r.Queue() == queue {
			next = latest(r) + 1
		}
	}
	return v.link([]string{"q", queue}, "filter", f.String(), "read", strconv.Itoa(next))
}

// took writes how long an operation has taken.
func took(d time.Duration) string {
	if d < time.Second {
		return "below 1s"
	}
	return d.Round(time.Second).String()
}

func (a *answer) batchRow(v view, s operation.State, b operation.Batch, last, reads bool) batchRow {
	row := batchRow{Batch: b}
	switch {
	case last && s.Progress.Phase == errorqueue.PhaseWatching:
		row.State = "watched, " + s.Progress.Watch.Round(time.Second).String() + " more"
	case last:
		row.State = "moves"
	case b.Watched:
		row.State = "watched"
	default:
		row.State, row.Unknown = "not watched", b.FailedAgain == 0
	}
	for _, g := range b.Again[:min(len(b.Again), mostAgain)] {
		one := againRow{Again: g, Was: v.Time(g.Earlier.At), Is: v.Time(g.Now.At)}
		if reads {
			one.Link = v.Link("q", s.Queue, "m", g.Mark)
			one.Compare = v.link([]string{"q", s.Queue, "compare"}, "a", g.Mark)
		}
		row.Again = append(row.Again, one)
	}
	row.More = max(0, b.FailedAgain-len(row.Again))
	return row
}

// stop ends an operation early.
func (a *answer) stop(id string) {
	s, ok := a.state(id, See)
	if !ok {
		return
	}
	if right := stopRight(s.Kind); !a.user.may(right, s.Queue) {
		a.problem(refusal(right, true, false))
		return
	}
	page := a.view().Link("ops", id)
	if _, ok := a.take(stopAction, id, page); !ok {
		return
	}
	if !a.audit(audit.Entry{Action: "stop", Queue: s.Queue, Operation: s.ID}) {
		return
	}
	if err := a.console.runner.Stop(id); err != nil && !errors.Is(err, operation.ErrOver) {
		a.problem(&problem{Status: http.StatusConflict, Title: "Not stopped", Text: sentence(err), Here: page})
		return
	}
	http.Redirect(a.w, a.r, page, http.StatusSeeOther)
}

// file sends the file of an export, or the copy.
func (a *answer) file(id string) {
	s, ok := a.state(id, Read)
	if !ok {
		return
	}
	f, err := a.console.runner.File(id)
	if err != nil {
		a.problem(&problem{Status: http.StatusNotFound, Title: "No such file", Text: sentence(err), Do: "A file is kept for an hour.", Here: a.view().Link("ops", id)})
		return
	}
	defer func() { _ = f.Close() }()
	if !a.audit(audit.Entry{Action: "download", Queue: s.Queue, Operation: s.ID}) {
		return
	}
	a.w.Header().Set("Content-Type", "application/octet-stream")
	a.w.Header().Set("Content-Disposition", `attachment; filename="`+string(s.Kind)+"-"+s.Began.UTC().Format("20060102T150405Z")+`.jsonl"`)
	http.ServeContent(a.w, a.r, "", time.Time{}, f)
}
