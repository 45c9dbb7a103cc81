package console

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"github.com/bunnicula-go/bunnicula/console/internal/snapshot"
	"github.com/bunnicula-go/bunnicula/errorqueue"
)

const pageRows = 50

// reading is what every page below an error queue says of the reading.
type reading struct {
	Queue    string
	Version  int
	Read     int // messages
	Listable int // of them
	At       moment
	Done     bool
	Took     string
	Since    int // messages that came or went after it; 0 if unknown

	Asking  bool // the broker is asked for the queue's depth
	Waiting bool // a pass waits for its turn
	Running bool
	Of      int // messages that the running pass will read, 0 if unknown
	SoFar   int

	Ask   bool   // it begins by hand alone
	Depth int    // messages in the queue, -1 if unknown
	Again string // the link that begins a pass
	Cost  string // how long that takes, "" if unknown
	Used  string // readings: "3 of 20"; "" if they do not count

	Here parkedData // since then, in this process

	Newer string // the link of a newer snapshot, ""
	Gone  bool   // the snapshot that the link names is dropped
	Err   string
	Do    string
}

// reading describes a Reading and the snapshot of it that is shown, which may be nil.
func (a *answer) reading(v view, queue string, r *snapshot.Reading, s *snapshot.Snapshot) reading {
	p := r.Progress()
	d := reading{Queue: queue, Ask: p.Ask, Depth: p.Depth, Waiting: p.Phase == snapshot.Waiting, Running: p.Phase == snapshot.Running || p.Phase == snapshot.GivingBack}
	d.Of, d.SoFar = max(0, p.Of), p.Read
	d.Used = a.console.scarce.used(queue, s)
	d.Asking = s == nil && p.Phase == snapshot.Idle && p.DepthAt.IsZero()
	if s != nil {
		d.Version, d.At, d.Done = s.Version(), v.Time(s.Began()), s.Done()
		d.Read, d.Listable = s.Read()
		if p.DepthAt.After(s.Began()) && d.Done && p.Depth >= 0 {
			d.Since = p.Depth - d.Read + s.Gone()
		}
		d.Here = a.parkedHere(v, a.mainQueue(queue), s.Began())
	}
	if !d.Running && !d.Waiting && !d.Asking {
		// The link names the version that it is to replace, so that loading the page again begins
		// nothing.
		q := a.r.URL.Query()
		d.Again = v.link(a.parts, "filter", q.Get("filter"), "show", q.Get("show"), "read", strconv.Itoa(latest(r)+1))
		d.Cost = cost(p)
		if p.Took > 0 { // it is unknown of what an operation has read
			d.Took = p.Took.Round(10 * time.Millisecond).String()
		}
		if p.Err != nil {
			d.Err, d.Do = p.Err.Error(), explain(p.Err)
		}
	}
	return d
}

// latest returns the version of the newest snapshot, 0 without one.
func latest(r *snapshot.Reading) int {
	if s := r.Running(); s != nil {
		return s.Version()
	}
	if s := r.Snapshot(); s != nil {
		return s.Version()
	}
	return 0
}

// cost estimates how long a pass takes, by the last one or by what is usual.
func cost(p snapshot.Progress) string {
	if p.Depth <= 0 {
		return ""
	}
	each := 140 * time.Microsecond // a message of 1.5 kB
	if p.Read > 100 && p.Took > 0 {
		each = p.Took / time.Duration(p.Read)
	}
	d := time.Duration(p.Depth) * each
	if d < 100*time.Millisecond {
		return "below 0.1s"
	}
	if d < time.Second {
		return "≈ " + d.Round(100*time.Millisecond).String()
	}
	return "≈ " + d.Round(time.Second).String()
}

// begin begins a pass if a link of ours asks for it, and answers with the page without that
// request.
func (a *answer) begin(r *snapshot.Reading) bool {
	want := a.asked("read")
	if want == "" {
		return false
	}
	if number(want) == latest(r)+1 && a.r.Method == http.MethodGet {
		r.Begin()
	}
	q := a.r.URL.Query()
	q.Del("read")
	http.Redirect(a.w, a.r, a.path(a.parts...)+query(q), http.StatusSeeOther)
	return true
}

// queueData is what the page of an error queue shows.
type queueData struct {
	reading

	Filter    string
	FilterErr string
	List      bool // rows are shown, else groups
	Groups    []groupRow
	Other     int // messages of groups that are not shown
	Rows      rowsData
	Timeline  timelineData
	Select    *selectable    // all messages, of the page that has no rows
	Current   []operationRow // that run, or were interrupted
	ListLink  string
	GroupLink string
}

// groupRow is a kind of failure.
type groupRow struct {
	Link  string
	Key   string // of our own making
	Count int
	// Somebody else's text.
	Reason, Error, Type, Consumer string
	Versions                      []string
	First, Last                   moment
}

// rowsData is a page of a list.
type rowsData struct {
	Rows           []messageRow
	Select         *selectable // nil if nothing can be done with them
	Total          int
	From, To       int
	Previous, Next string // links
}

// messageRow is a row of a list.
type messageRow struct {
	snapshot.Row
	Link string // "" if the viewer may not read it
	At   moment
}

// groupName names a group in links: its key is somebody else's text.
func groupName(key string) string {
	digest := sha256.Sum256([]byte(key))
	return hex.EncodeToString(digest[:8])
}

// queue shows an error queue: its kinds of failure, or a list.
func (a *answer) queue(queue string) {
	r, ok := a.open(queue)
	if !ok || a.begin(r) {
		return
	}
	v := a.view()
	s, gone := a.pinned(r)
	d := queueData{reading: a.reading(v, queue, r, s), Filter: a.r.URL.Query().Get("filter")}
	d.Gone = gone
	d.List = d.Filter != "" || a.r.URL.Query().Get("show") == "list"
	d.ListLink, d.GroupLink = v.link([]string{"q", queue}, "show", "list"), v.Link("q", queue)
	filter, err := errorqueue.ParseFilter(d.Filter)
	if err == nil {
		err = a.mayFilter(filter, queue)
	}
	if err == nil && s != nil {
		err = a.fill(v, s, filter, &d)
	}
	if err != nil {
		d.FilterErr = err.Error()
	}
	d.Newer, d.Current = a.newer(r, s), a.current(v, queue)
	p := page{Title: queue, Here: "queue", Data: d, view: v, Command: commandLine("errors", "groups", queue)}
	if d.List && err == nil {
		p.Command = commandLine(append([]string{"errors", "ls", queue}, words(filter)...)...)
	}
	a.live(&p, d.reading)
	a.show(http.StatusOK, "queue", p)
}

// fill adds what is chosen.
func (a *answer) fill(v view, s *snapshot.Snapshot, filter errorqueue.Filter, d *queueData) error {
	timeline, err := s.Timeline(filter)
	if err != nil {
		return err
	}
	all, err := s.Timeline(errorqueue.Filter{})
	if err != nil {
		return err
	}
	d.Timeline = chart(v, timeline, all)
	if d.List {
		d.Rows, err = a.list(v, d.Queue, s, filter, "filter", d.Filter, "show", a.r.URL.Query().Get("show"))
		return err
	}
	d.Select = a.selectable(v, d.Queue, s, filter)
	groups := s.Groups()
	d.Other = groups.Other
	for _, g := range groups.Groups {
		d.Groups = append(d.Groups, groupRow{
			Link: v.link([]string{"q", d.Queue, "g", groupName(g.Key)}), Key: groupName(g.Key), Count: g.Count - g.Gone,
			Reason: g.Reason, Error: g.Error, Type: g.Type, Consumer: g.Consumer, Versions: g.Versions,
			First: v.Time(g.First), Last: v.Time(g.Last),
		})
	}
	return nil
}

// list makes a page of the chosen rows. keep are the parameters of its links.
func (a *answer) list(v view, queue string, s *snapshot.Snapshot, filter errorqueue.Filter, keep ...string) (rowsData, error) {
	at := max(1, min(number(a.r.URL.Query().Get("page")), 1<<24))
	rows, total, err := s.Find(filter, snapshot.Page{Offset: (at - 1) * pageRows, Limit: pageRows})
	if err != nil {
		return rowsData{}, err
	}
	d := rowsData{Select: a.selectable(v, queue, s, filter), Total: total, From: min(total, (at-1)*pageRows+1), To: min(total, (at-1)*pageRows+len(rows))}
	for _, r := range rows {
		row := messageRow{Row: a.shown(r, queue), At: v.Time(r.Since)}
		if a.user.may(Read, queue) {
			row.Link = v.link([]string{"q", queue, "m", r.Mark}, "filter", filter.String(), "snapshot", strconv.Itoa(s.Version()))
		}
		d.Rows = append(d.Rows, row)
	}
	to := func(n int) string {
		return v.link(a.parts, append(keep, "page", strconv.Itoa(n), "snapshot", strconv.Itoa(s.Version()))...)
	}
	if at > 1 {
		d.Previous = to(min(at-1, (total+pageRows-1)/pageRows))
	}
	if at*pageRows < total {
		d.Next = to(at + 1)
	}
	return d, nil
}

// newer returns the link of this page on the newest snapshot, "" if it shows that one.
func (a *answer) newer(r *snapshot.Reading, s *snapshot.Snapshot) string {
	newest := r.Snapshot()
	if s == nil || newest == nil || newest.Version() <= s.Version() {
		return ""
	}
	q := a.r.URL.Query()
	q.Del("snapshot")
	return a.path(a.parts...) + query(q)
}

// live lets a page follow a reading.
func (a *answer) live(p *page, d reading) {
	p.Events = p.view.Link("q", d.Queue, "events")
	if d.Running || d.Waiting {
		p.Refresh = 2
	}
	if d.Asking {
		p.Refresh, p.Every = 1, 1
	}
}
