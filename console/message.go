package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/bunnicula-go/bunnicula/console/internal/audit"
	"github.com/bunnicula-go/bunnicula/console/internal/snapshot"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/typed"
)

// messageData is what the page of a message shows.
type messageData struct {
	reading

	Mark    string
	Alike   int // messages with the same id and body
	Index   int // of the message among the chosen ones, from 1
	Total   int
	Filter  string
	Message errorqueue.Message // somebody else's text
	Kept    bool               // else only what the list has

	Known      string // how the target is known
	FailedAt   moment
	FirstAt    moment
	RedrivenAt moment
	Due        moment
	Published  moment
	History    []attemptRow
	Deaths     []deathRow
	Headers    []headerRow
	More       int // headers that are not shown
	Properties []property
	Body       bodyData

	Select *selectable // this message, and those alike

	Previous, Next, Group, Back  string // links
	ComparePrevious, CompareNext string // links, with those
	CompareEarlier               string // link, with its failure before a redrive; ""
	Load, LoadBody               string // links that read the queue for the whole message
}

type attemptRow struct {
	errorqueue.Attempt
	When moment
	Gap  string // since the attempt before
}

type deathRow struct {
	errorqueue.Death
	When moment
}

// headerRow is one header of the user, with its type.
type headerRow struct{ Name, Type, Value string }

const headersShown = 500

// message shows one message.
func (a *answer) message(queue, mark string) {
	r, ok := a.open(queue)
	if !ok || a.begin(r) {
		return
	}
	v := a.view()
	s, gone := a.pinned(r)
	row, alike, m, kept, refused := lookUp(s, queue, mark)
	if refused == nil {
		m, kept, refused = a.whole(r, mark, m, kept)
	}
	if refused != nil {
		refused.Here = v.Link("q", queue)
		a.problem(refused)
		return
	}
	if !a.audit(audit.Entry{Action: "view", Queue: queue, Mark: row.Mark}) {
		return
	}
	d := messageData{reading: a.reading(v, queue, r, s), Mark: row.Mark, Alike: alike, Message: m, Kept: kept, Filter: a.r.URL.Query().Get("filter")}
	d.Gone, d.Newer = gone, a.newer(r, s)
	d.describe(v)
	if d.Select = a.selectable(v, queue, s, errorqueue.Filter{Marks: []string{row.Mark}}); d.Select != nil {
		d.Select.Mark = row.Mark
	}
	a.place(v, s, &d)
	if kept {
		d.Body = a.body(v, &m, d.Mark, queue)
	}
	if !kept || d.Body.Kept > 0 {
		next := strconv.Itoa(latest(r) + 1)
		d.Load = v.link([]string{"q", queue, "m", mark}, "filter", d.Filter, "load", next)
		d.LoadBody = v.link([]string{"q", queue, "m", mark, "body"}, "load", next)
	}
	d.Back = v.QueueLink(queue, d.Filter)
	if m.Group != "" {
		d.Group = v.Link("q", queue, "g", groupName(m.Group))
	}
	p := page{Title: "A message of " + queue, Here: "queue", Data: d, view: v, Command: commandLine("errors", "show", queue, "mark="+d.Mark)}
	a.show(http.StatusOK, "message", p)
}

// lookUp finds a message. kept says that all of it is there; otherwise it is what the lists have.
func lookUp(s *snapshot.Snapshot, queue, mark string) (row snapshot.Row, alike int, m errorqueue.Message, kept bool, p *problem) {
	gone := &problem{
		Status: http.StatusNotFound, Title: "No such message", Text: "The reading of " + queue + " has no such message.",
		Do: "It may have been redriven or discarded, or it is not read yet.",
	}
	if s == nil {
		return row, 0, m, false, gone
	}
	row, alike, err := s.Row(mark)
	if err != nil {
		return row, 0, m, false, gone
	}
	m, err = s.Message(mark)
	switch {
	case errors.Is(err, snapshot.ErrNotKept):
		return row, alike, ofRow(row), false, nil
	case err != nil:
		return row, alike, m, false, &problem{Status: http.StatusInternalServerError, Title: "It cannot be read", Text: err.Error(), Do: "Read the queue again."}
	}
	return row, alike, m, true, nil
}

const loadFor = 10 * time.Minute

// whole reads the queue for the whole message, if a link of ours asks for that. The link names the
// reading that it begins, so that loading the page again begins no other one.
func (a *answer) whole(r *snapshot.Reading, mark string, m errorqueue.Message, kept bool) (errorqueue.Message, bool, *problem) {
	if want := a.asked("load"); want == "" || number(want) != latest(r)+1 || a.r.Method != http.MethodGet {
		return m, kept, nil
	}
	ctx, cancel := context.WithTimeout(a.r.Context(), loadFor)
	defer cancel()
	all, err := r.Load(ctx, mark)
	if err != nil {
		return m, kept, &problem{Status: http.StatusBadGateway, Title: "It could not be loaded", Text: err.Error(), Do: "Open the message again, or take bunnicula errors show."}
	}
	return all, true, nil
}

// ofRow is what the lists have of a message.
func ofRow(r snapshot.Row) errorqueue.Message {
	return errorqueue.Message{
		Position: r.Position, ID: r.ID, Reason: r.Reason, Group: r.Group, Error: r.Error, Type: r.Type, Consumer: r.Consumer,
		App: r.App, AppVersion: r.Version, Host: r.Host, Target: r.Target, RedriveID: r.RedriveID,
		FirstFailedAt: r.FirstFailedAt, FailedAt: r.FailedAt, Timestamp: r.Published, BodySize: r.Size,
	}
}

// place finds the message among the chosen ones.
func (a *answer) place(v view, s *snapshot.Snapshot, d *messageData) {
	filter, err := errorqueue.ParseFilter(d.Filter)
	if err != nil {
		return
	}
	before, after, index, err := s.Neighbours(d.Mark, filter)
	if err != nil {
		return
	}
	_, d.Total, _ = s.Find(filter, snapshot.Page{Limit: 1})
	d.Index = index + 1
	to := func(r *snapshot.Row) string {
		if r == nil {
			return ""
		}
		return v.link([]string{"q", d.Queue, "m", r.Mark}, "filter", d.Filter, "snapshot", strconv.Itoa(s.Version()))
	}
	d.Previous, d.Next = to(before), to(after)
	compare := func(r *snapshot.Row) string {
		if r == nil {
			return ""
		}
		return v.link([]string{"q", d.Queue, "compare"}, "a", r.Mark, "b", d.Mark, "filter", d.Filter, "snapshot", strconv.Itoa(s.Version()))
	}
	d.ComparePrevious, d.CompareNext = compare(before), compare(after)
	if _, ok := earlier(&d.Message); ok {
		d.CompareEarlier = v.link([]string{"q", d.Queue, "compare"}, "a", d.Mark, "filter", d.Filter, "snapshot", strconv.Itoa(s.Version()))
	}
}

// describe makes what the page shows of the message's fields.
func (d *messageData) describe(v view) {
	m := &d.Message
	d.FailedAt, d.FirstAt, d.RedrivenAt = v.Time(m.FailedAt), v.Time(m.FirstFailedAt), v.Time(m.RedrivenAt)
	d.Due, d.Published = v.Time(m.Due), v.Time(m.Timestamp)
	d.Known = map[string]string{
		"header": "the message's headers name it", "x-death": "the broker's record names it",
		"opened": "the message says nothing, so it is this queue's consumer", "unknown": "nothing names it",
	}[m.TargetFrom]
	var before time.Time
	for _, h := range m.History {
		row := attemptRow{Attempt: h, When: v.Time(h.At)}
		if !before.IsZero() && !h.At.IsZero() {
			row.Gap = h.At.Sub(before).Round(time.Millisecond).String()
		}
		before = h.At
		d.History = append(d.History, row)
	}
	for _, x := range m.Deaths {
		d.Deaths = append(d.Deaths, deathRow{x, v.Time(x.At)})
	}
	for _, name := range slices.Sorted(maps.Keys(m.Headers)) {
		if len(d.Headers) == headersShown {
			d.More = len(m.Headers) - headersShown
			break
		}
		d.Headers = append(d.Headers, header(name, m.Headers[name]))
	}
	d.Properties = propertiesOf(m)
}

// positive writes a number, "" for 0.
func positive(n int) string {
	if n <= 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// header shows one header. A text stands for itself; other values are written as exports write
// them.
func header(name string, value any) headerRow {
	h := headerRow{Name: typed.NameText(name), Type: fmt.Sprintf("%T", value)}
	if text, is := value.(string); is && utf8.ValidString(text) {
		h.Type, h.Value = "text", text
		return h
	}
	if text, err := json.Marshal(typed.Field{Value: value}); err == nil {
		h.Value = string(text)
	}
	switch value.(type) {
	case nil:
		h.Type = "nothing"
	case []byte:
		h.Type = "bytes"
	case time.Time:
		h.Type = "time"
	case []any:
		h.Type = "array"
	case map[string]any:
		h.Type = "table"
	}
	return h
}

// download sends what was kept of a body, as a file that no browser shows.
func (a *answer) download(queue, mark string) {
	r, ok := a.open(queue)
	if !ok {
		return
	}
	s, _ := a.pinned(r)
	row, _, m, kept, refused := lookUp(s, queue, mark)
	if refused == nil {
		m, kept, refused = a.whole(r, mark, m, kept)
	}
	if refused == nil && !kept {
		refused = &problem{Status: http.StatusNotFound, Title: "Not kept", Text: "The reading has not kept this body.", Do: "bunnicula errors export writes it to a file."}
	}
	if refused != nil {
		a.problem(refused)
		return
	}
	if !a.audit(audit.Entry{Action: "download a body", Queue: queue, Mark: row.Mark}) {
		return
	}
	a.w.Header().Set("Content-Type", "application/octet-stream")
	a.w.Header().Set("Content-Disposition", `attachment; filename="body-`+strconv.Itoa(row.Position)+`.bin"`)
	http.ServeContent(a.w, a.r, "", time.Time{}, bytes.NewReader(m.Body))
}
