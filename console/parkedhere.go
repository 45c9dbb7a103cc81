package console

import (
	"cmp"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
	"github.com/bunnicula-go/bunnicula/topology"
)

// parkedData says what consumers of this process have parked since a moment.
type parkedData struct {
	Known bool // there is a Monitor
	Since moment
	Total int
	More  bool // there were more, which are forgotten
	Kinds []parkedKindRow
}

type parkedKindRow struct {
	Count         int
	Reason, Error string
	Last          moment
	Link          string // of the group in the error queue
}

const mostKindRows = 5

// parkedHere asks the Monitor. queue is a main queue.
func (a *answer) parkedHere(v view, queue string, since time.Time) parkedData {
	monitor := a.console.cfg.Monitor
	if monitor == nil || queue == "" {
		return parkedData{}
	}
	d := parkedData{Known: true, Since: v.Time(since)}
	counts, total, whole := monitor.since(queue, since)
	d.Total, d.More = total, !whole
	name := a.errorQueue(queue)
	for i, c := range counts {
		if i == mostKindRows {
			break
		}
		row := parkedKindRow{Count: c.Count, Reason: c.Reason, Error: a.redacted(c.Error), Last: v.Time(c.Last)}
		if c.Group != "" && a.user.may(See, name) {
			row.Link = v.Link("q", name, "g", groupName(c.Group))
		}
		d.Kinds = append(d.Kinds, row)
	}
	return d
}

// errorQueue returns the name of the error queue of a main queue.
func (a *answer) errorQueue(queue string) string {
	_, name := errorQueueOf(a.console.cfg.Topology, queue)
	return name
}

// mainQueue returns the name of the queue whose consumer parks in an error queue, "" if unknown.
// Nothing is parked in an archive.
func (a *answer) mainQueue(name string) string {
	cfg, _ := errorQueueOf(a.console.cfg.Topology, name)
	queue := cmp.Or(cfg.Queue, strings.TrimSuffix(name, topology.ErrorQueue("")))
	if a.errorQueue(queue) != name {
		return ""
	}
	return queue
}

// redacted is the text of an error as the Config lets it be shown.
func (a *answer) redacted(text string) string {
	if a.console.cfg.Redact == nil || text == "" {
		return text
	}
	m := errorqueue.Message{Error: text}
	a.console.cfg.Redact(&m)
	return foreign.Line(m.Error, mostKindText)
}
