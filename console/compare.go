package console

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bunnicula-go/bunnicula/console/internal/snapshot"
	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// compareData is what the comparison of two messages shows. Texts are somebody else's.
type compareData struct {
	reading

	A, B    side
	Earlier bool // A is the message of B before its last redrive, as its history has it
	Facts   []pair
	Headers []pair
	More    int // headers that are not compared
	Props   []pair
	Kept    bool // both messages, with headers and bodies
	Body    textDiff
	BodyErr string // why they are compared as they are
	Part    bool   // of the bodies, only what was kept is compared
	Stack   textDiff
	Swap    string // link
	Back    string
}

// side is one of the two messages.
type side struct {
	Mark, Link string
	Position   int
	ID         string
}

// pair is what two messages have of one name.
type pair struct {
	Name         string
	A, B         string
	TypeA, TypeB string // of a header, "" if there is none
	Differs      bool
}

// compare shows what differs in two messages of a queue, or in one before and after its redrive.
func (a *answer) compare(queue string) {
	r, ok := a.open(queue)
	if !ok || a.begin(r) {
		return
	}
	v := a.view()
	s, gone := a.pinned(r)
	q := a.r.URL.Query()
	d := compareData{reading: a.reading(v, queue, r, s), Back: v.QueueLink(queue, q.Get("filter"))}
	d.Gone, d.Newer, d.Again, d.Ask = gone, a.newer(r, s), "", false
	m, x, kept, refused := a.side(v, s, queue, q.Get("a"))
	if refused == nil {
		d.A, d.Kept = x, kept
		refused = a.other(v, s, queue, m, &d)
	}
	if refused != nil {
		a.problem(refused)
		return
	}
	p := page{Title: "Two messages of " + queue, Here: "queue", Data: d, view: v}
	if marks := []string{d.A.Mark, d.B.Mark}; !d.Earlier {
		p.Command = commandLine("errors", "ls", queue, "mark="+strings.Join(marks, ","))
		p.Title = "Compare messages of " + queue
	}
	a.show(http.StatusOK, "compare", p)
}

// side finds one of the messages.
func (a *answer) side(v view, s *snapshot.Snapshot, queue, mark string) (errorqueue.Message, side, bool, *problem) {
	row, _, m, kept, refused := lookUp(s, queue, mark)
	if refused != nil {
		refused.Here = v.Link("q", queue)
		return m, side{}, false, refused
	}
	link := v.link([]string{"q", queue, "m", mark}, "filter", a.r.URL.Query().Get("filter"), "snapshot", strconv.Itoa(s.Version()))
	return m, side{row.Mark, link, row.Position, m.ID}, kept, nil
}

// other compares the message with the second one of the link. Without one it compares what the
// history says of its failure before the last redrive.
func (a *answer) other(v view, s *snapshot.Snapshot, queue string, m errorqueue.Message, d *compareData) *problem {
	q := a.r.URL.Query()
	if q.Get("b") == "" {
		before, ok := earlier(&m)
		if !ok {
			return &problem{Status: http.StatusNotFound, Title: "Nothing to compare", Text: "The history of this message has no failure before a redrive.",
				Do: "Compare it with another message: tick two of them in a list, and press d.", Here: d.A.Link}
		}
		d.Earlier, d.B = true, d.A
		d.Facts = attemptFacts(v, before, &m)
		return nil
	}
	n, y, kept, refused := a.side(v, s, queue, q.Get("b"))
	if refused != nil {
		return refused
	}
	d.B, d.Kept = y, d.Kept && kept
	d.Swap = v.link([]string{"q", queue, "compare"}, "a", d.B.Mark, "b", d.A.Mark, "filter", q.Get("filter"), "snapshot", q.Get("snapshot"))
	d.Facts = factPairs(v, &m, &n)
	if d.Kept {
		d.Props = propertyPairs(&m, &n)
		d.Headers, d.More = headerPairs(m.Headers, n.Headers)
		d.Part = len(m.Body) < m.BodySize || len(n.Body) < n.BodySize
		a.compareBodies(&m, &n, d)
		d.Stack = diffOf("text", m.Stack, n.Stack)
	}
	return nil
}

// compareBodies compares what Config.Decode makes of two bodies, if they are no text.
func (a *answer) compareBodies(m, n *errorqueue.Message, d *compareData) {
	x, _ := bodyOf(m)
	y, _ := bodyOf(n)
	d.Body = diffBodies(x, y)
	if d.Body.As != "hex" || d.Part || a.console.decoder.decode == nil {
		return
	}
	first, err := a.console.decoder.text(m)
	var second string
	if err == nil {
		second, err = a.console.decoder.text(n)
	}
	if err != nil {
		d.BodyErr = err.Error()
		return
	}
	d.Body = diffOf("decoded", strings.ToValidUTF8(first, "·"), strings.ToValidUTF8(second, "·"))
}

// earlier returns the last attempt before the last redrive.
func earlier(m *errorqueue.Message) (last errorqueue.Attempt, ok bool) {
	for _, h := range m.History {
		if m.RedrivenAt.IsZero() || h.At.After(m.RedrivenAt) || h.At.IsZero() {
			continue
		}
		last, ok = h, true
	}
	return last, ok
}

const historyError = 200 // bytes of an error that a history has

// attemptFacts compares a failure of the history with the last one.
func attemptFacts(v view, before errorqueue.Attempt, m *errorqueue.Message) []pair {
	now := m.Error
	if len(now) > historyError && len(before.Error) > historyError-4 && strings.HasPrefix(now, before.Error) {
		now = before.Error
	}
	return []pair{
		pairOf("Reason", before.Reason, m.Reason), pairOf("Error", before.Error, now), pairOf("Host", before.Host, m.Host),
		pairOf("Attempts", strconv.Itoa(before.Attempt), strconv.Itoa(m.Attempts)), pairOf("Failed", v.exactly(before.At), v.exactly(m.FailedAt)),
	}
}

// exactly writes a time.
func (v view) exactly(t time.Time) string { return v.Time(t).Exact }

func pairOf(name, a, b string) pair { return pair{Name: name, A: a, B: b, Differs: a != b} }

// factPairs compares why and where two messages failed.
func factPairs(v view, m, n *errorqueue.Message) (all []pair) {
	for _, p := range []pair{
		pairOf("Id", m.ID, n.ID), pairOf("Reason", m.Reason, n.Reason), pairOf("Error", m.Error, n.Error), pairOf("Type", m.Type, n.Type),
		pairOf("Group", m.Group, n.Group), pairOf("Consumer", m.Consumer, n.Consumer), pairOf("App", m.App, n.App),
		pairOf("Version", m.AppVersion, n.AppVersion), pairOf("Host", m.Host, n.Host), pairOf("Redriven to", m.Target, n.Target),
		pairOf("Attempts", positive(m.Attempts), positive(n.Attempts)), pairOf("First failed", v.exactly(m.FirstFailedAt), v.exactly(n.FirstFailedAt)),
		pairOf("Parked", v.exactly(m.FailedAt), v.exactly(n.FailedAt)), pairOf("Published", v.exactly(m.Timestamp), v.exactly(n.Timestamp)),
		pairOf("Redriven", positive(m.RedriveCount), positive(n.RedriveCount)), pairOf("Redrive", m.RedriveID, n.RedriveID),
		pairOf("Size", v.Bytes(m.BodySize), v.Bytes(n.BodySize)),
	} {
		if p.A != "" || p.B != "" {
			all = append(all, p)
		}
	}
	return all
}

// propertyPairs compares the properties that one of two messages has.
func propertyPairs(m, n *errorqueue.Message) (all []pair) {
	a, b := propertiesOf(m), propertiesOf(n)
	value := func(of []property, name string) string {
		for _, p := range of {
			if p.Name == name {
				return p.Value
			}
		}
		return ""
	}
	for _, p := range append(a, b...) {
		if !slices.ContainsFunc(all, func(x pair) bool { return x.Name == p.Name }) {
			all = append(all, pairOf(p.Name, value(a, p.Name), value(b, p.Name)))
		}
	}
	return all
}

// headerPairs compares headers with their types, those first that differ. more is how many are left
// out.
func headerPairs(a, b map[string]any) (all []pair, more int) {
	names := maps.Clone(a)
	if names == nil {
		names = map[string]any{}
	}
	maps.Copy(names, b)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		var p pair
		if v, there := a[name]; there {
			h := header(name, v)
			p.Name, p.A, p.TypeA = h.Name, h.Value, h.Type
		}
		if v, there := b[name]; there {
			h := header(name, v)
			p.Name, p.B, p.TypeB = h.Name, h.Value, h.Type
		}
		p.Differs = p.A != p.B || p.TypeA != p.TypeB
		all = append(all, p)
	}
	slices.SortStableFunc(all, func(x, y pair) int {
		switch {
		case x.Differs == y.Differs:
			return 0
		case x.Differs:
			return -1
		}
		return 1
	})
	if len(all) > headersShown {
		all, more = all[:headersShown], len(all)-headersShown
	}
	return all, more
}
