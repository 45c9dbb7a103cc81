package console

import (
	"cmp"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/console/internal/operation"
	"github.com/bunnicula-go/bunnicula/console/internal/snapshot"
	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// planData is what the page of a plan shows.
type planData struct {
	selection
	Queue   string
	Back    string // the link of the queue with this filter
	Verb    string
	Version int // of the reading in which it was counted
	At      moment
	Old     bool // that was long ago
	Since   int  // messages that came or went since, 0 if unknown
	Ended   string
	Dropped bool // the reading in which messages were ticked is gone
	Read    string
	Reading bool // the queue is being read, so there is nothing to count yet
	SoFar   int
	survey

	Aims    []aimRow
	all     []aim
	AimErr  string
	More    int // queues that are not shown
	Failed  []tally
	Still   []string // versions that run and on which some of these failed
	OnStill int      // how many

	Options options
	Wrong   wrong
	Main    string // the consumer's queue
	Batches int    // how many there will be
	First   string // until the first batch is judged, ""
	Took    string // all of it
	Watch   string // of each batch
	ByRule  bool   // Watch is what nobody has typed
	ReadFor string // what one reading costs

	Busy   string // the link of an operation that runs on the queue
	Refuse string // why there is no button
	Ticket string
}

// aimRow is a queue to which messages go.
type aimRow struct {
	aim
	Link     string
	Unserved bool // nobody consumes it
}

const (
	oldAfter = 10 * time.Minute // a reading is old
	mostSeen = 8                // values of a kind on the page of a plan
)

// form reads the fields of a form, or those of a link.
func (a *answer) form() (url.Values, *problem) {
	if err := a.r.ParseForm(); err != nil {
		return nil, &problem{Status: http.StatusBadRequest, Title: "Too much", Text: "The form could not be read: it may be too long.", Do: "Choose messages by a filter."}
	}
	if a.r.Method == http.MethodPost {
		return a.r.PostForm, nil
	}
	return a.r.Form, nil
}

// plan shows what would be done with the selected messages, and the form that does it.
func (a *answer) plan(queue string) {
	form, refused := a.form()
	if refused == nil {
		a.planWith(queue, form, nil)
		return
	}
	a.problem(refused)
}

// planWith makes the page of a plan. missed is what is wrong with fields of a form that was sent,
// nil if none was.
func (a *answer) planWith(queue string, form url.Values, missed wrong) {
	v := a.view()
	s, from, refused := a.selection(queue, form)
	if refused != nil {
		a.problem(refused)
		return
	}
	if link := linkOfForm(v, queue, s, form); missed == nil && a.r.Method == http.MethodPost && len(link) <= mostLink {
		http.Redirect(a.w, a.r, link, http.StatusSeeOther) // so that a browser can go back to it
		return
	}
	r, ok := a.open(queue)
	if !ok {
		return
	}
	d := planData{selection: s, Queue: queue, Verb: verbs[s.Kind], Wrong: missed, Back: v.QueueLink(queue, s.Filter)}
	snap := d.counted(v, r, number(form.Get("snapshot")))
	d.Read = v.link([]string{"q", queue}, "filter", s.Filter, "read", strconv.Itoa(latest(r)+1))
	if snap != nil {
		if err := a.fillPlan(v, &d, snap, from, form); err != nil {
			a.problem(&problem{Status: http.StatusBadRequest, Title: "No plan", Text: sentence(err), Do: "Nothing was changed. The command bunnicula errors takes such filters.", Here: d.Back})
			return
		}
		r.Keep(d.Version, time.Now().Add(ticketLife))
	}
	status := http.StatusOK
	if len(missed) > 0 {
		status = http.StatusUnprocessableEntity
	}
	p := page{Title: d.Verb + ", " + queue, Here: "queue", Data: d, view: v, Command: planCommand(queue, s)}
	if d.Reading && a.r.Method != http.MethodPost {
		p.Refresh, p.Every = 2, 2
	}
	a.show(status, "plan", p)
}

const mostLink = 4 << 10 // bytes

// linkOfForm is the link of a plan with the fields of a form, but for its ticket, and for what was
// ticked if the plan is for all.
func linkOfForm(v view, queue string, s selection, form url.Values) string {
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(form)) {
		for _, value := range form[name] {
			if name != ticketField && name != "zone" && value != "" && (name != "mark" || len(s.Marks) > 0) {
				fields = append(fields, name, value)
			}
		}
	}
	return v.many([]string{"q", queue, "plan"}, fields...)
}

// selection reads the selection of a form, and what it goes on with.
func (a *answer) selection(queue string, form url.Values) (selection, goingOn, *problem) {
	s, err := selected(form)
	if err != nil {
		return s, goingOn{}, &problem{
			Status: http.StatusBadRequest, Title: "No plan", Text: sentence(err), Do: "Nothing was changed.",
			Here: a.view().QueueLink(queue, s.Filter), Link: "Back to the queue",
		}
	}
	from, refused := a.goesOn(queue, &s)
	if refused == nil && !a.user.may(rights[s.Kind], queue) {
		refused = refusal(rights[s.Kind], true, false)
	}
	return s, from, refused
}

// sentence makes an error the begin of a sentence.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// counted sets of which reading the plan is. There is none before a reading is over.
func (d *planData) counted(v view, r *snapshot.Reading, version int) *snapshot.Snapshot {
	s := r.Version(version)
	if s == nil {
		d.Dropped = version > 0 && len(d.Marks) > 0
		s = r.Snapshot()
	}
	p := r.Progress()
	d.ReadFor, d.SoFar = cost(p), p.Read
	if s == nil || !s.Done() {
		d.Reading = p.Phase != snapshot.Idle || p.DepthAt.IsZero()
		return nil
	}
	d.Version, d.At, d.Old = s.Version(), v.Time(s.Began()), v.now.Sub(s.Began()) > oldAfter
	if err := s.Err(); err != nil {
		d.Ended = err.Error()
	}
	if read, _ := s.Read(); p.DepthAt.After(s.Began()) && p.Depth >= 0 {
		d.Since = p.Depth - read + s.Gone()
	}
	return s
}

// fillPlan adds what the reading, the broker and the form say.
func (a *answer) fillPlan(v view, d *planData, s *snapshot.Snapshot, from goingOn, form url.Values) error {
	var err error
	if d.survey, err = a.survey(s, d.selection, from); err != nil {
		return err
	}
	ways := a.console.cfg.waysOf(d.Queue)
	d.Main = ways.main
	d.Options = optionsOf(form)
	if form.Get("filled") == "" && d.Wrong == nil { // nobody has filled in the fields
		d.Options = from.options(firstOptions(d.Kind, d.Count, ways.archive))
	}
	set, missed := d.Options.check(d.Kind, d.Queue, d.Main)
	if d.Wrong == nil {
		d.Wrong = missed
	}
	d.aim(a, ways, set)
	d.foresee(set)
	if id, busy := a.occupied(d.Queue); busy {
		d.Busy = v.Link("ops", id)
	}
	d.Refuse = refuse(a.user, d.Kind, d.survey, d.all, set)
	if d.Refuse != "" || d.Busy != "" {
		return nil
	}
	d.Ticket, err = a.ticket(action(d.Kind), d.Queue, planned{d.selection, d.Version, s.Began(), d.Count})
	return err
}

// aim adds the queues to which messages go, and which versions run there.
func (d *planData) aim(a *answer, w ways, set settings) {
	all := aimsOf(a.user, d.Kind, d.survey, w, set)
	if err := a.console.broker.aims(a.r.Context(), all); err != nil {
		d.AimErr = err.Error()
	}
	d.all, d.More = all, max(0, len(all)-mostSeen)
	running := map[string]bool{}
	for i, one := range all {
		for _, version := range one.Versions {
			running[version] = true
		}
		if i < mostSeen {
			row := aimRow{aim: one, Unserved: one.Consumers != nil && *one.Consumers == 0}
			if d.Kind == operation.Archive && !one.Missing && a.user.may(See, one.Queue) {
				row.Link = a.view().Link("q", one.Queue)
			}
			d.Aims = append(d.Aims, row)
		}
	}
	for _, t := range d.Versions {
		if running[t.Value] {
			d.Still, d.OnStill = append(d.Still, t.Value), d.OnStill+t.Count
		}
	}
	d.Failed = d.Versions[:min(len(d.Versions), mostSeen)]
}

// aimsOf returns the queues to which the messages of a plan go.
func aimsOf(u User, kind operation.Kind, s survey, w ways, set settings) (all []aim) {
	switch kind {
	case operation.Redrive:
		for _, t := range s.Targets {
			all = append(all, aim{Queue: t.Value, Messages: t.Count})
		}
		if set.To != "" {
			all = []aim{{Queue: set.To, Messages: s.Count}}
		}
	case operation.Archive:
		all = []aim{{Queue: cmp.Or(set.Archive, w.archive), Messages: s.Count}}
	case operation.Delete, operation.Export:
	}
	for i := range all {
		all[i].Denied = !u.mayMoveInto(all[i].Queue, w)
	}
	return all
}

// foresee adds how long it takes.
func (d *planData) foresee(set settings) {
	if d.Kind == operation.Export {
		return
	}
	watch := cmp.Or(set.Watch, watchOf(d.Slowest, set.To))
	first, all := verdict(d.Count, set.Batches, watch, set.Rate)
	d.Took = about(all)
	d.Batches, d.Watch = batchCount(d.Count, set.Batches), short(watch)
	if d.Batches > 1 { // the last one is not watched
		d.First, d.ByRule = about(first), set.Watch == 0
	}
}

// about rounds a duration that is estimated.
func about(d time.Duration) string {
	switch {
	case d < time.Second:
		return "below 1s"
	case d < time.Minute:
		return "≈ " + d.Round(time.Second).String()
	case d < 100*time.Minute:
		return "≈ " + strconv.Itoa(int(d.Round(time.Minute)/time.Minute)) + " min"
	}
	return "≈ " + strconv.FormatFloat(d.Hours(), 'f', 1, 64) + " h"
}

// MarksField is the ticked marks as one field of a form.
func (d planData) MarksField() string { return strings.Join(d.Marks, ",") }

// Whole says that every message of the queue is selected.
func (d planData) Whole() bool { return d.selection.all() }

// redriveTally is a redrive after which messages were parked again.
type redriveTally struct {
	tally
	Filter string
}

// LastRedrives are those of most of the messages.
func (d planData) LastRedrives() (all []redriveTally) {
	for _, t := range d.Redrives[:min(len(d.Redrives), 3)] {
		all = append(all, redriveTally{t, errorqueue.Filter{RedriveIDs: []string{t.Value}}.String()})
	}
	return all
}

// Size is about how many bytes an export has.
func (d planData) Size() int { return int(d.survey.Bytes) + 500*d.Count }

// Changes says that the plan changes the queue.
func (d planData) Changes() bool { return d.Kind != operation.Export }
