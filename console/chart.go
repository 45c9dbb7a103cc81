package console

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/bunnicula-go/bunnicula/console/internal/snapshot"
)

// timelineData is what a page shows of a timeline.
type timelineData struct {
	Bars     []bar
	Step     string
	Most     int // messages of the highest bar
	From, To moment
	Versions []versionRow
	Undated  int
}

// bar is what was parked within one step.
type bar struct {
	At    moment
	Count int
	Parts []int // messages by version, in the order of Versions
}

// versionRow is what is known of one version.
type versionRow struct {
	Name  string // "" if unknown, "others" for those that have no colour
	Class int    // of its colour, from 0
	Count int
	First moment
}

const (
	chartBars = 120
	// chartVersions have a colour of their own; others share the last one.
	chartVersions = 6
)

// chart makes the bars of a timeline. Steps are joined if there would be too many. A version has
// the colour that it has among all messages of the reading.
func chart(v view, t, all snapshot.Timeline) timelineData {
	d := timelineData{Undated: t.Undated}
	if len(t.Points) == 0 || t.Step <= 0 {
		return d
	}
	first, last := t.Points[0].At, t.Points[len(t.Points)-1].At
	steps := int(last.Sub(first)/t.Step) + 1
	join := (steps + chartBars - 1) / chartBars
	width := time.Duration(join) * t.Step
	versions, class := versionsOf(v, t.Points)
	d.Versions = versions
	_, colours := versionsOf(v, all.Points)
	for i, row := range d.Versions {
		if colour, known := colours[row.Name]; known {
			d.Versions[i].Class = colour
		}
	}
	d.Bars = make([]bar, (steps+join-1)/join)
	for i := range d.Bars {
		d.Bars[i] = bar{At: v.Time(first.Add(time.Duration(i) * width)), Parts: make([]int, len(d.Versions))}
	}
	for _, p := range t.Points {
		b := &d.Bars[int(p.At.Sub(first)/width)]
		b.Count += p.Count
		b.Parts[class[p.Version]] += p.Count
	}
	for _, b := range d.Bars {
		d.Most = max(d.Most, b.Count)
	}
	d.Step, d.From, d.To = age(width), v.Time(first), v.Time(last)
	return d
}

// versionsOf gives each version a row, in the order of their first messages, and says which. Beyond
// the most frequent ones they share the last.
func versionsOf(v view, points []snapshot.Point) ([]versionRow, map[string]int) {
	count, first := map[string]int{}, map[string]time.Time{}
	for _, p := range points {
		count[p.Version] += p.Count
		if at, ok := first[p.Version]; !ok || p.At.Before(at) {
			first[p.Version] = p.At
		}
	}
	names := slices.SortedFunc(maps.Keys(count), func(a, b string) int {
		return cmp.Or(-cmp.Compare(count[a], count[b]), cmp.Compare(a, b))
	})
	shown := names
	if len(names) > chartVersions {
		shown = names[:chartVersions-1]
	}
	shown = slices.SortedFunc(slices.Values(shown), func(a, b string) int {
		return cmp.Or(first[a].Compare(first[b]), cmp.Compare(a, b))
	})
	class := map[string]int{}
	var rows []versionRow
	for i, name := range shown {
		class[name] = i
		rows = append(rows, versionRow{Name: name, Class: i, Count: count[name], First: v.Time(first[name])})
	}
	if len(names) > len(shown) {
		others := versionRow{Name: "others", Class: len(shown)}
		for _, name := range names[len(shown):] {
			class[name] = others.Class
			others.Count += count[name]
		}
		rows = append(rows, others)
	}
	return rows, class
}
