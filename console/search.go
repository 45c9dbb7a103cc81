package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/console/internal/snapshot"
	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// searchData is what the search over all error queues and archives shows.
type searchData struct {
	Filter    string
	FilterErr string
	Asked     bool // there is a filter, and it can be applied
	Total     int  // messages that match
	Of        int  // messages that were looked at
	Found     []searched
	Nothing   []searched // read, and nothing matches
	Unread    []searched
	Unknown   string // why not all queues may be here, or ""
	Version   int    // no reading is pinned
}

// searched is one queue.
type searched struct {
	Queue string
	Link  string // of its list
	At    moment
	Read  int // messages
	Rows  int // of them, the first ones
	Done  bool
	Err   string // what ended the reading

	Count int // rows that match and are not gone
	First []messageRow

	Depth int    // messages in the queue, -1 if unknown
	Cost  string // of a reading, "" if unknown
	Begin string // the link that begins one

	failed error // why it cannot be searched
}

const (
	searchRows = 5 // of each queue
	searchLook = 2 * time.Second
)

// search looks for a filter in the snapshots of all queues that the viewer may see.
func (a *answer) search() {
	v := a.view()
	d := searchData{Filter: a.r.URL.Query().Get("filter")}
	filter, err := errorqueue.ParseFilter(d.Filter)
	if err != nil {
		d.FilterErr = err.Error()
	}
	d.Asked = d.Filter != "" && err == nil
	readings := map[string]*snapshot.Reading{}
	for _, r := range a.console.store.Readings() {
		readings[r.Queue()] = r
	}
	depths := a.errorQueues(&d, readings)
	names := slices.Sorted(maps.Keys(depths))
	if d.Asked {
		readable := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return a.mayFilter(filter, name) != nil })
		if left := len(names) - len(readable); left > 0 {
			d.Unknown += fmt.Sprintf(" Not searched: %s, because %s.", v.Plural(left, "queue", "queues"), errNotReader)
		}
		names = readable
	}
	all := make([]searched, len(names))
	turns := make(chan struct{}, runtime.GOMAXPROCS(0))
	var looks sync.WaitGroup
	for i, name := range names {
		looks.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			all[i] = a.searchIn(v, name, depths[name], readings[name], filter, d.Asked)
		})
	}
	looks.Wait()
	p := page{Title: "Search", Here: "search", view: v}
	for _, q := range all {
		if errors.Is(q.failed, snapshot.ErrNotIndexed) { // all have the same terms
			d.FilterErr, d.Asked = q.failed.Error(), false
		}
		d.sort(q)
		if !q.Done && q.Read > 0 {
			p.Every, p.Refresh = 2, 2
		}
	}
	slices.SortStableFunc(d.Found, func(x, y searched) int { return cmp.Compare(y.Count, x.Count) })
	if len(d.Found) > 0 {
		p.Command = commandLine(append([]string{"errors", "ls", d.Found[0].Queue}, words(filter)...)...)
	} else if len(names) > 0 {
		p.Command = commandLine(append([]string{"errors", "ls", names[0]}, words(filter)...)...)
	}
	p.Data = d
	a.show(http.StatusOK, "search", p)
}

// sort puts a queue to those of its kind.
func (d *searchData) sort(q searched) {
	d.Total, d.Of = d.Total+q.Count, d.Of+q.Rows
	switch {
	case !q.At.Known:
		d.Unread = append(d.Unread, q)
	case q.Count > 0:
		d.Found = append(d.Found, q)
	default:
		d.Nothing = append(d.Nothing, q)
	}
}

// errorQueues returns the error queues and archives that the viewer may see, with the number of
// their messages, -1 if unknown.
func (a *answer) errorQueues(d *searchData, readings map[string]*snapshot.Reading) map[string]int {
	all := map[string]int{}
	for _, t := range a.console.cfg.Topology.Topologies() {
		all[errorqueue.Of(t).ErrorQueue] = -1
	}
	for name := range readings {
		all[name] = -1
	}
	ctx, cancel := context.WithTimeout(a.r.Context(), searchLook)
	defer cancel()
	l := a.console.broker.look(ctx)
	if l.err != nil {
		if l = cmp.Or(a.console.broker.known(), l); l.err != nil {
			d.Unknown = "The broker did not answer: " + l.err.Error() + "."
		}
	}
	l.count(all)
	if l.queues == nil && d.Unknown == "" {
		d.Unknown = "Without the management API (--management-url, Config.ManagementURL) these are the queues of the topology file and those that somebody has opened: archives may be missing."
	}
	delete(all, "")
	maps.DeleteFunc(all, func(name string, _ int) bool { return !a.user.may(See, name) })
	return all
}

// count adds the error queues and archives that the management API tells of, and sets how many
// messages there are in those that are known; -1 is unknown.
func (l *look) count(all map[string]int) {
	for _, c := range l.consumers {
		for _, q := range c.Queues {
			if _, known := all[q.Queue]; known && q.Ready != nil {
				all[q.Queue] = *q.Ready
			}
		}
	}
	for name, q := range l.queues {
		_, known := all[name]
		if (known || errorqueue.Named(name).ErrorQueue == name) && q.Type != "stream" {
			all[name] = -1
			if q.Messages != nil {
				all[name] = *q.Messages
			}
		}
	}
}

// searchIn looks for a filter in the snapshot of one queue, which may have none.
func (a *answer) searchIn(v view, name string, depth int, r *snapshot.Reading, f errorqueue.Filter, asked bool) searched {
	q := searched{Queue: name, Link: v.QueueLink(name, f.String()), Depth: depth}
	var s *snapshot.Snapshot
	next := 1
	if r != nil {
		s, next = r.Snapshot(), latest(r)+1
	}
	if s == nil {
		q.Begin = v.link([]string{"q", name}, "filter", f.String(), "read", strconv.Itoa(next))
		q.Cost = cost(snapshot.Progress{Depth: depth})
		return q
	}
	q.At, q.Done = v.Time(s.Began()), s.Done()
	q.Read, q.Rows = s.Read()
	if err := s.Err(); err != nil {
		q.Err = err.Error()
	}
	if !asked {
		return q
	}
	rows, _, err := s.Find(f, snapshot.Page{Limit: searchRows})
	if err == nil {
		q.Count, err = s.Left(f)
	}
	if err != nil {
		q.failed = err
		return q
	}
	for _, row := range rows {
		shown := messageRow{Row: a.shown(row, name), At: v.Time(row.Since)}
		if a.user.may(Read, name) {
			shown.Link = v.link([]string{"q", name, "m", row.Mark}, "filter", f.String(), "snapshot", strconv.Itoa(s.Version()))
		}
		q.First = append(q.First, shown)
	}
	return q
}
