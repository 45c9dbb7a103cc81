package snapshot

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

func TestBeyondTheMemoryGroupsAndTimelinesStayExact(t *testing.T) {
	s := snapshotOf(t, failures(5000), func(c *Config) { c.Memory = 100_000 })
	read, rows := s.Read()
	if read != 5000 || rows < 100 || rows > 1500 {
		t.Fatalf("%d read, %d rows", read, rows)
	}
	if _, total, err := s.Find(errorqueue.Filter{}, Page{}); err != nil || total != rows {
		t.Errorf("%d found of %d rows, %v", total, rows, err)
	}
	g := s.Groups()
	if g.Messages != 5000 || len(g.Groups) != 4 || g.Groups[3].Count != 1250 {
		t.Errorf("groups %+v", g)
	}
	for f, want := range map[string]int{"": 5000, "group=g2": 1250} {
		f, err := errorqueue.ParseFilter(f)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Timeline(f); err != nil || total(got) != want {
			t.Errorf("%q: %d messages, %v; want %d", f, total(got), err, want)
		}
	}
}

func total(l Timeline) (n int) {
	for _, p := range l.Points {
		n += p.Count
	}
	return n + l.Undated
}

func TestATimelineCountsMinutesByVersion(t *testing.T) {
	all := failures(60) // 1.5 to 2.5 minutes after the epoch
	all[0].FailedAt = time.Time{}
	s := snapshotOf(t, all, nil)
	want := []Point{
		{epoch.Add(time.Minute), "1.0", 9}, {epoch.Add(time.Minute), "1.1", 10}, {epoch.Add(time.Minute), "1.2", 10},
		{epoch.Add(2 * time.Minute), "1.0", 10}, {epoch.Add(2 * time.Minute), "1.1", 10}, {epoch.Add(2 * time.Minute), "1.2", 10},
	}
	got, err := s.Timeline(errorqueue.Filter{})
	if err != nil || !slices.Equal(got.Points, want) || got.Step != time.Minute || got.Undated != 1 {
		t.Errorf("got %+v, %v", got, err)
	}
	some, err := s.Timeline(errorqueue.Filter{Reasons: []string{"timeout"}}) // of the rows
	if err != nil || !slices.Equal(some.Points, want) {
		t.Errorf("of rows: %+v, %v", some, err)
	}
}

func TestATimelineOfManyPointsHasALongerStepAndTheSameCount(t *testing.T) {
	var l timeline
	for i := range 3 * mostCells {
		l.add(epoch.Add(-time.Duration(i)*time.Minute), "")
	}
	l.add(time.Unix(-90, 0), "")
	got := l.report()
	if got.Step != 10*time.Minute || total(got) != 3*mostCells+1 || !got.Points[0].At.Equal(time.Unix(-600, 0)) {
		t.Errorf("step %v, %d messages, the first at %v", got.Step, total(got), got.Points[0].At)
	}
}

func TestATimelineOfAGroupHasFewerPoints(t *testing.T) {
	var l tally
	for i := range 3 * groupCells {
		l.add(&errorqueue.Message{Group: "g", FailedAt: epoch.Add(time.Duration(i) * time.Minute)})
	}
	if got := l.groups["g"].timeline.report(); len(got.Points) > groupCells || got.Step != 10*time.Minute || total(got) != 3*groupCells {
		t.Errorf("step %v, %d points, %d messages", got.Step, len(got.Points), total(got))
	}
}

func TestMessagesOfTooManyGroupsAreCounted(t *testing.T) {
	all := failures(mostGroups + 10)
	for i := range all {
		all[i].Group = fmt.Sprint(i)
	}
	g := snapshotOf(t, all, nil).Groups()
	if len(g.Groups) != mostGroups || g.Other != 10 || g.Messages != mostGroups+10 {
		t.Errorf("%d groups, %d others of %d", len(g.Groups), g.Other, g.Messages)
	}
}

func TestAGroupNamesItsVersionsAndItsFirstMessage(t *testing.T) {
	all := failures(12)
	g, err := snapshotOf(t, all, nil).Group("g1")
	if err != nil || !slices.Equal(g.Versions, []string{"1.1", "1.2", "1.0"}) || g.Mark != all[1].Mark || g.Count != 3 {
		t.Errorf("got %+v, %v", g, err)
	}
}
