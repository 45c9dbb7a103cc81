package console

import (
	"net/http"
	"slices"
	"strings"

	"github.com/bunnicula-go/bunnicula/internal/doctor"
	"github.com/bunnicula-go/bunnicula/internal/inspect"
	"github.com/bunnicula-go/bunnicula/topology"
)

// overviewData is what the overview shows.
type overviewData struct {
	Broker   string
	At       moment
	Rows     []consumerRow
	Problem  string // of the broker
	API      bool   // there is a management API
	APIErr   string
	Current  []operationRow // that run, or were interrupted
	Findings string         // of the doctor, "" if it never looked
}

// consumerRow is one consumer. A nil number is unknown.
type consumerRow struct {
	Name       string
	State      inspect.State
	Ready      *int
	Lengths    string // the ready messages of the latest looks, as a line of blocks
	In, Out    *float64
	Unacked    *int
	Consumers  *int
	Unserved   bool // nobody consumes
	Oldest     moment
	Retries    []delayed
	Quarantine *int
	Parked     *int
	ErrorQueue string // "" if it may not be opened
	Problems   []string
}

// delayed is a retry queue with messages.
type delayed struct {
	Delay string
	Ready int
}

func (a *answer) overview() {
	v := a.view()
	l := a.console.broker.look(a.r.Context())
	d := overviewData{Broker: shown(l.peer), At: v.Time(l.at), API: a.console.broker.api != nil}
	if l.err != nil {
		d.Problem = l.err.Error()
	}
	if l.apiErr != nil {
		d.APIErr = l.apiErr.Error()
	}
	for _, s := range l.consumers {
		if a.user.may(See, s.Consumer) {
			d.Rows = append(d.Rows, a.row(v, l, s))
		}
	}
	d.Current = a.current(v, "")
	if e := a.console.broker.lastExamination(); e != nil && e.err == nil {
		d.Findings = summary(e.findings)
	}
	status := http.StatusOK
	if l.err != nil {
		status = http.StatusBadGateway
	}
	a.show(status, "overview", page{Title: "Consumers", Here: "overview", Every: 5, Refresh: 10, Command: commandLine("status"), Data: d, view: v})
}

// row makes the row of one consumer.
func (a *answer) row(v view, l *look, s inspect.Status) consumerRow {
	row := consumerRow{Name: s.Consumer}
	for _, q := range s.Queues {
		row.Problems = append(row.Problems, q.Problems...)
		switch q.Role {
		case topology.RoleMain:
			row.State, row.Ready, row.Unacked, row.Consumers = q.State, q.Ready, q.Unacked, q.Consumers
			row.Unserved = q.Consumers != nil && *q.Consumers == 0
			if q.Oldest != nil {
				row.Oldest = v.Time(*q.Oldest)
			}
		case topology.RoleRetry:
			if q.Ready != nil && *q.Ready > 0 {
				row.Retries = append(row.Retries, delayed{q.Delay, *q.Ready})
			}
		case topology.RoleQuarantine:
			row.Quarantine = q.Ready
		case topology.RoleError:
			row.Parked = q.Ready
			if q.State != inspect.Absent && a.user.may(See, q.Queue) {
				row.ErrorQueue = q.Queue
			}
		}
	}
	if known, ok := l.queues[s.Consumer]; ok {
		row.In, row.Out = known.Stats.In(), known.Stats.Out()
	}
	row.Lengths = blocks(l.lengths[s.Consumer])
	return row
}

// blocks draws numbers as a line of blocks, "" if all are 0.
func blocks(all []int) string {
	const shownAtMost = 16
	all = all[max(0, len(all)-shownAtMost):]
	if len(all) < 2 || slices.Max(all) == 0 {
		return ""
	}
	heights := []rune("▁▂▃▄▅▆▇█")
	most := slices.Max(all)
	var line strings.Builder
	for _, n := range all {
		line.WriteRune(heights[n*(len(heights)-1)/most])
	}
	return line.String()
}

// summary counts findings by severity.
func summary(all []doctor.Finding) string {
	count := map[doctor.Severity]int{}
	for _, f := range all {
		count[f.Severity]++
	}
	v := view{}
	return v.Plural(count[doctor.Serious], "serious", "serious") + ", " +
		v.Plural(count[doctor.Warning], "warning", "warnings") + ", " + v.Plural(count[doctor.Note], "note", "notes")
}
