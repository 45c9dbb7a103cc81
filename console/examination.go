package console

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/doctor"
)

// examination is what the doctor has found at one moment. It is immutable.
type examination struct {
	at       time.Time
	took     time.Duration
	findings []doctor.Finding
	err      error
}

// lastExamination returns the latest one, nil before the first.
func (b *broker) lastExamination() *examination {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.examined
}

// examine returns the examination that was made after another one, which may be nil. Several
// viewers who ask for it share one.
func (b *broker) examine(ctx context.Context, after *examination) *examination {
	ctx, cancel := context.WithTimeout(ctx, examineFor)
	defer cancel()
	begin := time.Now()
	if err := b.take(ctx); err != nil {
		return &examination{at: time.Now(), err: err}
	}
	defer b.give()
	if e := b.lastExamination(); e != nil && e != after {
		return e
	}
	consumers, err := b.patients()
	e := &examination{err: err}
	if err == nil {
		var facts doctor.Facts
		if facts, e.err = doctor.Examine(ctx, b.inspect, b.api, consumers); e.err == nil {
			e.findings = doctor.Diagnose(facts)
		}
	}
	e.at, e.took = time.Now(), time.Since(begin)
	if ctx.Err() != nil && e.err != nil {
		return e
	}
	b.mu.Lock()
	b.examined = e
	b.mu.Unlock()
	return e
}

// patients are the consumers that the doctor examines.
func (b *broker) patients() (all []doctor.Consumer, err error) {
	for _, c := range b.file.Consumers {
		all = append(all, doctor.Consumer{Consumer: c})
	}
	l := b.known()
	if len(all) > 0 || l == nil {
		return all, nil
	}
	for _, s := range l.consumers {
		c, err := guessed(s)
		if err != nil {
			return nil, err
		}
		all = append(all, doctor.Consumer{Consumer: c, Guessed: true})
	}
	return all, nil
}

// doctorData is what the page of the doctor shows.
type doctorData struct {
	At       moment
	Took     string
	Run      string // the link that runs it again
	Summary  string
	Findings []findingRow
	Problem  string
}

// findingRow is a finding on the page.
type findingRow struct {
	doctor.Finding
	Link string // of the error queue that it is about, "" if it is about something else
}

func (a *answer) findingRows(v view, all []doctor.Finding) (rows []findingRow) {
	for _, f := range all {
		row := findingRow{Finding: f}
		if queue, ok := strings.CutPrefix(f.Subject, "queue "); ok && f.Check == "parked" && a.user.may(See, queue) {
			row.Link = v.Link("q", queue)
		}
		rows = append(rows, row)
	}
	return rows
}

// doctor shows the findings. The first viewer has it look; later ones by a link, which names the
// examination that it is to replace, so that loading a page again does not repeat it.
func (a *answer) doctor() {
	v := a.view()
	e := a.console.broker.lastExamination()
	if e == nil || a.asked("again") == strconv.FormatInt(e.at.UnixNano(), 36) {
		a.console.broker.look(a.r.Context()) // it tells which consumers there are
		e = a.console.broker.examine(a.r.Context(), e)
	}
	d := doctorData{
		At: v.Time(e.at), Took: e.took.Round(time.Millisecond).String(), Summary: summary(e.findings), Findings: a.findingRows(v, e.findings),
		Run: v.link([]string{"doctor"}, "again", strconv.FormatInt(e.at.UnixNano(), 36)),
	}
	status := http.StatusOK
	if e.err != nil {
		d.Problem, status = e.err.Error(), http.StatusBadGateway
	}
	a.show(status, "doctor", page{Title: "Doctor", Here: "doctor", Command: commandLine("doctor"), Data: d, view: v})
}
