package console

import (
	"net/http"
	"strconv"

	"github.com/bunnicula-go/bunnicula/console/internal/operation"
	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// goingOn is an operation that a plan goes on with. The zero value is none.
type goingOn struct {
	on    bool
	state operation.State
	marks map[string]bool // of the messages that it had chosen; nil if its filter alone chose
}

// goesOn reads the operation with which a selection goes on, and sets what it has chosen.
func (a *answer) goesOn(queue string, s *selection) (goingOn, *problem) {
	if s.GoesOn == "" {
		return goingOn{}, nil
	}
	state, ok := a.console.runner.State(s.GoesOn)
	if !ok || state.Queue != queue {
		return goingOn{}, &problem{Status: http.StatusNotFound, Title: "No such operation", Text: "There is no operation of this queue to go on with.", Here: a.view().Link("ops")}
	}
	if !state.Status.Unfinished() {
		return goingOn{}, &problem{Status: http.StatusConflict, Title: "Nothing to go on with", Text: "The operation runs, or has done all.", Here: a.view().Link("ops", state.ID)}
	}
	from := goingOn{on: true, state: state}
	marks, err := a.console.runner.Chosen(state.ID)
	if err != nil { // its filter chooses what was parked since, too
		a.console.cfg.Log.Error("what an operation had chosen cannot be read", "operation", state.ID, "err", err)
		return goingOn{}, &problem{
			Status: http.StatusConflict, Title: "Not known any more", Text: "Which messages the operation had chosen is not known any more. The log says why.",
			Do: "Choose messages anew.", Here: a.view().Link("q", queue),
		}
	}
	if len(marks) > 0 {
		from.marks = make(map[string]bool, len(marks))
		for _, m := range marks {
			from.marks[m] = true
		}
	}
	s.Kind, s.Filter, s.Marks = state.Kind, state.Filter, nil
	return from, nil
}

// redrive is the id of the redrive that is gone on with: messages that have it are left alone.
func (g goingOn) redrive() string {
	if g.on {
		return g.state.RedriveID
	}
	return ""
}

// chooses returns the filter of rows of a selection, and which marks they have, nil if any.
func (g goingOn) chooses(s selection) (errorqueue.Filter, map[string]bool) {
	if g.marks != nil {
		return errorqueue.Filter{Before: g.state.Before}, g.marks // ages were compared when the operation was planned
	}
	return s.filter(), nil
}

// options are the fields of the form: those of the operation that is gone on with.
func (g goingOn) options(first options) options {
	if !g.on {
		return first
	}
	s := g.state
	o := options{To: s.To, Archive: first.Archive}
	if s.Archive != "" {
		o.Archive = s.Archive
	}
	o.Batches = sizes(s.Intent.Batches)
	if s.Watch > 0 {
		o.Watch = short(s.Watch)
	}
	if s.Tolerate > 0 {
		o.Tolerate = strconv.FormatFloat(s.Tolerate, 'g', -1, 64)
	}
	if s.Rate > 0 {
		o.Rate = strconv.FormatFloat(s.Rate, 'g', -1, 64)
	}
	return o
}

// apply has an intent choose what the operation had chosen.
func (g goingOn) apply(i *operation.Intent) {
	if !g.on {
		return
	}
	i.Filter, i.All = g.state.Filter, g.state.All
	if g.marks != nil {
		i.Now = g.state.Now
	}
}
