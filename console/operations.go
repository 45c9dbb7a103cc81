package console

import (
	"net/http"
	"time"

	"github.com/bunnicula-go/bunnicula/console/internal/operation"
	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// operationRow is what lists show of an operation.
type operationRow struct {
	ID, Link    string
	Verb, Queue string
	What        string // which messages
	Who         string
	Began       moment
	Status      operation.Status
	Moved       int
	Count       int
	Again       int // failed again
	Failed      int
	Outcome     string
	Pending     bool   // it ended with its console
	GoOn        string // the link of a plan that goes on, "" if there is nothing left or no right
}

// operationsData is what the page of all operations shows.
type operationsData struct {
	Memory      bool // they are forgotten with the process
	Running     []operationRow
	Interrupted []operationRow
	Ended       []operationRow
	More        int
}

// operationTable is rows as the page lists them.
type operationTable struct {
	Page page
	Rows []operationRow
}

// Table makes a table of rows, for a template.
func (operationsData) Table(p page, rows []operationRow) operationTable {
	return operationTable{p, rows}
}

const mostOperations = 200 // on the page

// operations shows the operations of the queues that the viewer may see.
func (a *answer) operations() {
	v := a.view()
	d := operationsData{Memory: !a.console.runner.Durable()}
	h := a.console.history()
	for _, s := range h.all {
		if !a.user.may(See, s.Queue) {
			continue
		}
		row := a.operationRow(v, h, s)
		switch {
		case !s.Status.Over():
			d.Running = append(d.Running, row)
		case row.Pending:
			d.Interrupted = append(d.Interrupted, row)
		case len(d.Ended) < mostOperations:
			d.Ended = append(d.Ended, row)
		default:
			d.More++
		}
	}
	p := page{Title: "Operations", Here: "ops", Data: d, view: v}
	if len(d.Running) > 0 {
		p.Refresh, p.Every = 5, 3
	}
	a.show(http.StatusOK, "operations", p)
}

// history is all operations at one moment, the latest first.
type history struct {
	all   []operation.State
	later map[string]string // by an operation that another one goes on with: the latest such one
}

func (c *Console) history() history {
	if c.runner == nil {
		return history{}
	}
	h := history{all: c.runner.All(), later: map[string]string{}}
	for _, s := range h.all {
		if s.GoesOn != "" && h.later[s.GoesOn] == "" {
			h.later[s.GoesOn] = s.ID
		}
	}
	return h
}

// pending says that an operation ended with its console, and that no other one has gone on with it.
func (h history) pending(s operation.State) bool {
	closed := s.Status == operation.Stopped && s.Err != ""
	return (s.Status == operation.Interrupted || closed) && h.later[s.ID] == ""
}

// current returns the operations of a queue that run or are interrupted; of all that the viewer may
// see if queue is "".
func (a *answer) current(v view, queue string) (rows []operationRow) {
	h := a.console.history()
	for _, s := range h.all {
		if (queue == "" || s.Queue == queue) && a.user.may(See, s.Queue) && (!s.Status.Over() || h.pending(s)) {
			rows = append(rows, a.operationRow(v, h, s))
		}
	}
	return rows
}

func (a *answer) operationRow(v view, h history, s operation.State) operationRow {
	row := operationRow{
		ID: s.ID, Link: v.Link("ops", s.ID), Verb: verbs[s.Kind], Queue: s.Queue, What: a.chosenBy(v, s), Who: s.Who, Began: v.Time(s.Began),
		Status: s.Status, Moved: s.Report.Moved, Count: s.Count, Again: failedAgain(s), Failed: s.Report.Failed, Outcome: outcome(s),
		Pending: h.pending(s),
	}
	if s.Status.Unfinished() && a.user.may(rights[s.Kind], s.Queue) && h.later[s.ID] == "" {
		row.GoOn = v.link([]string{"q", s.Queue, "plan"}, "goes-on", s.ID)
	}
	return row
}

// chosenBy says which messages an operation has chosen. A filter may name what is in them.
func (a *answer) chosenBy(v view, s operation.State) string {
	switch {
	case s.Filter != "" && !a.user.may(Read, s.Queue):
		return "by a filter"
	case s.GoesOn != "":
		return "what an earlier one has left"
	case s.Filter != "":
		return s.Filter
	case s.All:
		return "all"
	}
	return v.Plural(s.Marks, "ticked message", "ticked messages")
}

func failedAgain(s operation.State) (n int) {
	for _, b := range s.Batches {
		n += b.FailedAgain
	}
	return n
}

// outcome says in words how an operation stands.
func outcome(s operation.State) string {
	switch s.Status {
	case operation.Running:
		return doing(s)
	case operation.Stopping:
		return "stops, and gives back what it has read"
	case operation.Done:
		return "done"
	case operation.Stopped:
		if s.Err != "" {
			return "stopped with the console"
		}
		return "stopped"
	case operation.Interrupted:
		return "interrupted"
	case operation.Failed:
	}
	if s.FailedAgain {
		return "stopped itself: too many failed again"
	}
	return "ended by an error"
}

// doing says what an operation does at the moment.
func doing(s operation.State) string {
	if s.Copying {
		return "makes a copy first; nothing was moved yet"
	}
	switch s.Progress.Phase {
	case errorqueue.PhaseWaiting:
		return "waits for its turn: somebody else reads the queue, or there is no connection"
	case errorqueue.PhaseReading:
		return "reads the queue"
	case errorqueue.PhaseWatching:
		return "watches whether the batch fails again, for " + s.Progress.Watch.Round(time.Second).String() + " more"
	case errorqueue.PhaseGivingBack:
		return "gives back what it has read"
	case errorqueue.PhaseMoving:
		if s.Kind == operation.Export {
			return "writes"
		}
		return "moves"
	}
	return "begins"
}
