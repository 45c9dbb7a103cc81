package snapshot

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

var (
	words = rapid.SampledFrom([]string{"", "a", "b", "B c", "a,b", `"`, "\xff", "ÄÖ", "timeout", "äö x"})
	times = rapid.Custom(func(t *rapid.T) time.Time {
		switch rapid.IntRange(0, 4).Draw(t, "time") {
		case 0:
			return time.Time{}
		case 1:
			return time.Unix(rapid.Int64Range(-1<<40, 1<<46).Draw(t, "seconds"), 0).UTC()
		}
		return time.Now().Add(-time.Duration(rapid.Int64Range(0, int64(10*time.Hour)).Draw(t, "age"))).UTC()
	})
	marks    = rapid.SampledFrom([]string{markOf("a", ""), markOf("b", ""), markOf("c", "")})
	messages = rapid.Custom(func(t *rapid.T) errorqueue.Message {
		return errorqueue.Message{
			ID: words.Draw(t, "id"), Mark: marks.Draw(t, "mark"), Reason: words.Draw(t, "reason"), Error: words.Draw(t, "error"), Type: words.Draw(t, "type"),
			Group: words.Draw(t, "group"), Consumer: words.Draw(t, "consumer"), Host: words.Draw(t, "host"), App: words.Draw(t, "app"),
			AppVersion: words.Draw(t, "version"), Target: words.Draw(t, "target"), RedriveID: words.Draw(t, "redrive"),
			FailedAt: times.Draw(t, "failed at"), FirstFailedAt: times.Draw(t, "first failed at"), Timestamp: times.Draw(t, "published"),
			Headers: rare(t, headers), Body: []byte(rapid.OneOf(words, bodies).Draw(t, "body")),
		}
	})
	wants   = rapid.SampledFrom([]string{"1", "1.0", "a", "", "null", "true", "[1]", "x"})
	headers = rapid.MapOf(rapid.SampledFrom([]string{"tenant", "other"}), rapid.SampledFrom([]any{"a", int32(1), []byte("a"), true, nil, 1.5}))
	bodies  = rapid.Custom(func(t *rapid.T) string {
		return fmt.Sprintf(`{"order": {"id": %s}, "n": %s}`, scalars.Draw(t, "id"), scalars.Draw(t, "n"))
	})
	scalars = rapid.SampledFrom([]string{"1", "1.0", `"1"`, `"a"`, "null", "true", "[1]", "{}"})
	term    = rapid.Custom(func(t *rapid.T) errorqueue.Filter {
		f := errorqueue.Filter{}
		if rapid.Bool().Draw(t, "header") {
			f.Headers = []errorqueue.HeaderMatch{{Name: "tenant", Exists: rapid.Bool().Draw(t, "exists"), Value: wants.Draw(t, "value")}}
		}
		if rapid.Bool().Draw(t, "body") {
			path := rapid.SampledFrom([]string{"order.id", "$.order.id", "order['id']", "n"}).Draw(t, "path")
			f.Body = []errorqueue.BodyMatch{{Path: path, Exists: rapid.Bool().Draw(t, "exists"), Value: wants.Draw(t, "value")}}
		}
		return f
	})
	some    = rapid.Custom(func(t *rapid.T) []string { return rare(t, rapid.SliceOfN(words, 1, 3)) })
	ages    = rapid.Map(rapid.Int64Range(1, int64(12*time.Hour)), func(n int64) time.Duration { return time.Duration(n) })
	moments = rapid.Map(ages, func(age time.Duration) time.Time { return time.Now().Add(-age) })
	filter  = rapid.Custom(func(t *rapid.T) errorqueue.Filter {
		return errorqueue.Filter{
			Reasons: some.Draw(t, "reasons"), ErrorTypes: some.Draw(t, "types"), Groups: some.Draw(t, "groups"), IDs: some.Draw(t, "ids"),
			Consumers: some.Draw(t, "consumers"), Hosts: some.Draw(t, "hosts"), Apps: some.Draw(t, "apps"), Versions: some.Draw(t, "versions"),
			Targets: some.Draw(t, "targets"), ErrorContains: rare(t, words), OlderThan: rare(t, ages), NewerThan: rare(t, ages),
			Headers: rare(t, term).Headers, Body: rare(t, term).Body, RedriveIDs: some.Draw(t, "redrives"), Marks: rare(t, rapid.SliceOfN(marks, 1, 2)), Before: rare(t, moments), After: rare(t, moments),
		}
	})
)

// rare draws a value in one of six cases, and the zero value in the others.
func rare[T any](t *rapid.T, g *rapid.Generator[T]) (none T) {
	if rapid.IntRange(0, 5).Draw(t, "there") > 0 {
		return none
	}
	return g.Draw(t, "value")
}

func TestFindChoosesWhatTheFilterChoosesOfTheMessages(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		all := rapid.SliceOfN(messages, 0, 60).Draw(rt, "messages")
		for i := range all {
			all[i].Position = i + 1
		}
		s := snapshotOf(t, all, indexed(t))
		for range 10 {
			agrees(rt, s, all, filter.Draw(rt, "filter"))
		}
	})
}

// indexed has the terms of the filters.
func indexed(t testing.TB) func(*Config) {
	t.Helper()
	v, err := errorqueue.NewValues("header.tenant", "body.order.id", "body.n")
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config) { c.Index = v }
}

// agrees compares each page of a filter with what the filter chooses of the messages.
func agrees(t *rapid.T, s *Snapshot, all []errorqueue.Message, f errorqueue.Filter) {
	matcher, err := f.At(s.Began())
	if err != nil {
		t.Fatal(err)
	}
	var want, got []int
	for i := range all {
		if matcher.Matches(&all[i]) {
			want = append(want, i+1)
		}
	}
	for offset := 0; ; offset += 7 {
		rows, total, err := s.Find(f, Page{Offset: offset, Limit: 7})
		if err != nil || total != len(want) {
			t.Fatalf("%q: %d rows, %v; the filter chooses %d", f, total, err, len(want))
		}
		if len(rows) == 0 {
			break
		}
		for _, r := range rows {
			m := &all[r.Position-1]
			got = append(got, r.Position)
			if r.ID != m.ID || r.Error != m.Error || !r.Since.Equal(m.Since()) || !r.FailedAt.Equal(m.FailedAt) || !r.FirstFailedAt.Equal(m.FirstFailedAt) || r.Mark != m.Mark {
				t.Fatalf("row %+v is not the message %+v", r, m)
			}
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%q: rows %v, the filter chooses %v", f, got, want)
	}
}

func TestATermThatTheIndexLacksIsRefused(t *testing.T) {
	s, keyed := snapshotOf(t, failures(3), nil), snapshotOf(t, failures(3), indexed(t))
	for _, text := range []string{"body.n=1", "header.tenant", "body.m", "body.n body.m", "body.n=" + strings.Repeat("1", 1025)} {
		f, err := errorqueue.ParseFilter(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Find(f, Page{}); !errors.Is(err, ErrNotIndexed) {
			t.Errorf("%s: %v, want ErrNotIndexed", text, err)
		}
		if _, _, err := keyed.Find(f, Page{}); errors.Is(err, ErrNotIndexed) != (text != "body.n=1" && text != "header.tenant") {
			t.Errorf("%s, with keys: %v", text, err)
		}
	}
}

func TestNeighboursAreThoseAmongTheChosenRows(t *testing.T) {
	all := failures(12)
	s := snapshotOf(t, all, nil)
	f := errorqueue.Filter{Groups: []string{"g1"}} // 1, 5, 9
	for _, c := range []struct {
		of            int
		before, after int // -1 is none
		index         int
	}{{5, 1, 9, 1}, {1, -1, 5, 0}, {9, 5, -1, 2}, {4, 1, 5, 1}, {11, 9, -1, 3}} {
		before, after, index, err := s.Neighbours(all[c.of].Mark, f)
		if err != nil || place(before) != c.before || place(after) != c.after || index != c.index {
			t.Errorf("of %d: %d, %d, index %d, %v; want %+v", c.of, place(before), place(after), index, err, c)
		}
	}
	if before, after, _, err := s.Neighbours(all[5].Mark, errorqueue.Filter{}); err != nil || place(before) != 4 || place(after) != 6 {
		t.Errorf("without a filter: %d, %d, %v", place(before), place(after), err)
	}
	if _, _, _, err := s.Neighbours("nothing", f); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown mark: %v", err)
	}
}

// place returns the index of the message of a row, -1 without one.
func place(r *Row) int {
	if r == nil {
		return -1
	}
	return r.Position - 1
}

func TestAlikeMessagesShareAMarkAndAreCounted(t *testing.T) {
	all := failures(3)
	all = append(all, all[1])
	all[3].Position = 4
	s := snapshotOf(t, all, nil)
	r, alike, err := s.Row(all[1].Mark)
	if err != nil || alike != 2 || r.Position != 2 {
		t.Errorf("row %d, %d alike, %v", r.Position, alike, err)
	}
	if _, _, err := s.Row("00"); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown mark: %v", err)
	}
}

func TestCountsAreThoseOfTheChosenRows(t *testing.T) {
	s := snapshotOf(t, failures(12), nil)
	got, err := s.Counts(errorqueue.Filter{Groups: []string{"g1"}}, ByVersion) // 1, 5, 9: versions 1, 2, 0
	want := []Count{
		{"1.0", 1, epoch.Add(99 * time.Second), epoch.Add(99 * time.Second)},
		{"1.1", 1, epoch.Add(91 * time.Second), epoch.Add(91 * time.Second)},
		{"1.2", 1, epoch.Add(95 * time.Second), epoch.Add(95 * time.Second)},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := s.Counts(errorqueue.Filter{}, ByDelay); err != nil || len(got) != 1 || got[0].Value != "below 1h" || got[0].Count != 12 {
		t.Errorf("delays %v, %v", got, err)
	}
}
