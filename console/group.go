package console

import (
	"net/http"

	"github.com/bunnicula-go/bunnicula/console/internal/snapshot"
	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// groupData is what the page of a kind of failure shows.
type groupData struct {
	reading

	Group    groupRow
	Target   string
	Sample   string // the link of its first message, "" if the viewer may not read it
	Timeline timelineData
	Facets   []facet
	Rows     rowsData
	Listed   bool // a filter can choose its messages
	Back     string
}

// facet counts the values of a property.
type facet struct {
	Name   string
	Values []facetValue
	More   int // values that are not shown
}

type facetValue struct {
	Value string
	Count int
	Share int // in percent
	First moment
}

const facetValues = 12

var facets = []struct {
	name string
	by   snapshot.Property
}{
	{"Versions", snapshot.ByVersion},
	{"Hosts", snapshot.ByHost},
	{"First failure to parked", snapshot.ByDelay},
	{"Came from", snapshot.ByTarget},
	{"Texts", snapshot.ByError},
}

// group shows one kind of failure.
func (a *answer) group(queue, name string) {
	r, ok := a.open(queue)
	if !ok || a.begin(r) {
		return
	}
	v := a.view()
	s, gone := a.pinned(r)
	d := groupData{reading: a.reading(v, queue, r, s), Back: v.Link("q", queue)}
	d.Gone, d.Newer = gone, a.newer(r, s)
	g, found := find(s, name)
	if !found {
		a.noGroup(d)
		return
	}
	d.Group = groupRow{
		Key: name, Count: g.Count - g.Gone, Reason: g.Reason, Error: g.Error, Type: g.Type, Consumer: g.Consumer,
		Versions: g.Versions, First: v.Time(g.First), Last: v.Time(g.Last),
	}
	d.Target, d.Listed = g.Target, g.Key != ""
	if a.user.may(Read, queue) && g.Mark != "" {
		d.Sample = v.Link("q", queue, "m", g.Mark)
	}
	p := page{Title: "A kind of failure in " + queue, Here: "queue", view: v}
	if d.Listed {
		filter := errorqueue.Filter{Groups: []string{g.Key}}
		if err := a.fillGroup(v, s, filter, &d); err != nil {
			a.failed(err)
			return
		}
		p.Command = commandLine("errors", "ls", queue, "--group", g.Key)
	}
	p.Data = d
	a.live(&p, d.reading)
	a.show(http.StatusOK, "group", p)
}

// find finds a group by its name in links.
func find(s *snapshot.Snapshot, name string) (snapshot.Group, bool) {
	if s == nil {
		return snapshot.Group{}, false
	}
	for _, g := range s.Groups().Groups {
		if groupName(g.Key) == name {
			return g, true
		}
	}
	return snapshot.Group{}, false
}

// noGroup answers for a group that the snapshot does not have, perhaps not yet.
func (a *answer) noGroup(d groupData) {
	p := &problem{
		Status: http.StatusNotFound, Title: "No such failures", Here: d.Back,
		Text: "The reading of " + d.Queue + " has no failures of this kind.", Do: "They may have been redriven, or are not read yet.",
	}
	a.problem(p)
}

// fillGroup adds what the rows of the group say.
func (a *answer) fillGroup(v view, s *snapshot.Snapshot, filter errorqueue.Filter, d *groupData) error {
	timeline, err := s.Timeline(filter)
	if err != nil {
		return err
	}
	all, err := s.Timeline(errorqueue.Filter{})
	if err != nil {
		return err
	}
	d.Timeline = chart(v, timeline, all)
	for _, f := range facets {
		counts, err := s.Counts(filter, f.by)
		if err != nil {
			return err
		}
		d.Facets = append(d.Facets, facetOf(v, f.name, counts))
	}
	d.Rows, err = a.list(v, d.Queue, s, filter)
	return err
}

// facetOf makes a facet of the most frequent values.
func facetOf(v view, name string, counts []snapshot.Count) facet {
	f := facet{Name: name, More: max(0, len(counts)-facetValues)}
	all := 0
	for _, c := range counts {
		all += c.Count
	}
	for _, c := range counts[:len(counts)-f.More] {
		f.Values = append(f.Values, facetValue{c.Value, c.Count, 100 * c.Count / max(1, all), v.Time(c.First)})
	}
	return f
}
