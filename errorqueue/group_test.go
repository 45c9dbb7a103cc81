package errorqueue

import (
	"bytes"
	"reflect"
	"strconv"
	"testing"
	"time"
)

func TestGroupsAreCountedAndTheLargestComesFirst(t *testing.T) {
	g := grouping{most: 10, key: keys[ByReason], groups: map[string]*Group{}}
	for i, reason := range []string{"a", "b", "", "b", "b", ""} {
		g.add(Message{ID: strconv.Itoa(i), Reason: reason, FailedAt: now.Add(time.Duration(5-i) * time.Hour)})
	}
	report := g.report()
	type row struct {
		key    string
		count  int
		sample string
		first  time.Duration
		last   time.Duration
	}
	var got []row
	for _, group := range report.Groups {
		got = append(got, row{group.Key, group.Count, group.Sample.ID, group.First.Sub(now), group.Last.Sub(now)})
	}
	want := []row{{"b", 3, "1", time.Hour, 4 * time.Hour}, {"", 2, "2", 0, 3 * time.Hour}, {"a", 1, "0", 5 * time.Hour, 5 * time.Hour}}
	if !reflect.DeepEqual(got, want) || report.Messages != 6 || report.Other != 0 {
		t.Errorf("got %v, %+v", got, report)
	}
}

func TestTheNumberOfGroupsIsBoundedAndTheRestCounted(t *testing.T) {
	g := grouping{most: 3, key: keys[ByGroup], groups: map[string]*Group{}}
	for i := range 1000 {
		g.add(Message{Group: strconv.Itoa(i % 50), Body: bytes.Repeat([]byte("x"), 10_000), BodySize: 10_000})
	}
	report := g.report()
	if len(report.Groups) != 3 || report.Other != 940 || report.Messages != 1000 {
		t.Errorf("%d groups, %d others of %d", len(report.Groups), report.Other, report.Messages)
	}
	for _, group := range report.Groups {
		if s := group.Sample; group.Count != 20 || len(s.Body) != sampleBody || cap(s.Body) > 2*sampleBody || s.BodySize != 10_000 {
			t.Errorf("%d in a group, whose sample keeps %d of %d bytes", group.Count, cap(s.Body), s.BodySize)
		}
	}
}

func TestAGroupOfMessagesWithoutATimeHasNone(t *testing.T) {
	g := grouping{most: 3, key: keys[ByGroup], groups: map[string]*Group{}}
	g.add(Message{})
	g.add(Message{FailedAt: now})
	g.add(Message{})
	if got := g.report().Groups[0]; !got.First.Equal(now) || !got.Last.Equal(now) || got.Count != 3 {
		t.Errorf("got %+v", got)
	}
}
