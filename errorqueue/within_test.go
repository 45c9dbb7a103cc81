package errorqueue

import (
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestTheFirstMessagesAreRecognisedWhereALostConnectionHasMovedThem(t *testing.T) {
	read := func(mark string) *held { return &held{message: Message{Mark: mark}} }
	w := &within{most: 2}
	w.again()
	if what := w.extent(edge{}); what.most != 2 || w.of(5) != 2 || w.of(1) != 1 || w.of(-1) != -1 {
		t.Errorf("the first reading reads %d, and of 5, 1 and an unknown number %d, %d and %d", what.most, w.of(5), w.of(1), w.of(-1))
	}
	if !w.has(read("a")) || !w.has(read("b")) {
		t.Error("the first ones of the first reading are left out")
	}
	for range 2 { // readings
		w.again()
		if what := w.extent(edge{}); what.most >= 0 {
			t.Errorf("a later reading ends after %d", what.most)
		}
		if w.metAll(1) {
			t.Error("none is read, and one is met")
		}
		for i, want := range []struct {
			mark string
			has  bool
		}{{"c", false}, {"b", true}, {"a", true}, {"a", false}} {
			if got := w.has(read(want.mark)); got != want.has {
				t.Errorf("%d, %s: %v", i, want.mark, got)
			}
		}
		if !w.metAll(2) || w.metAll(3) {
			t.Error("two are met")
		}
	}
	all := &within{}
	all.again()
	all.again()
	if all.metAll(0) || !all.has(read("c")) || all.extent(edge{}).most >= 0 || all.of(7) != 7 {
		t.Error("without a number not all belong to it")
	}
}

func TestTheMomentOfAFilterIsTheCallersOrThatOfTheCall(t *testing.T) {
	m := &Message{FailedAt: now.Add(-time.Hour)}
	for name, test := range map[string]struct {
		frozen time.Time
		want   bool
	}{"now": {time.Time{}, true}, "when it was younger": {now.Add(-time.Minute), false}} {
		f := Filter{OlderThan: 59*time.Minute + 30*time.Second}
		_, redrive, err := RedriveOptions{Filter: f, Now: test.frozen}.resolve(ordersQueue(), now)
		discard, err2 := DiscardOptions{Filter: f, Now: test.frozen, Window: 1}.check(ordersQueue(), now)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		subject := m.subject()
		if redrive.Matches(&subject) != test.want || discard.Matches(&subject) != test.want {
			t.Errorf("%s: want %v", name, test.want)
		}
	}
}

func TestAPanicOfACallbackIsLoggedAndItIsCalledNoMore(t *testing.T) {
	var lines strings.Builder
	calls := 0
	f := &follower{log: slog.New(slog.NewTextHandler(&lines, nil)), observe: func(m *Message) {
		calls++
		m.Target = "changed"
	}}
	m := Message{Mark: "a"}
	f.read(&m)
	f.read(&m)
	if calls != 2 || m.Target != "" {
		t.Errorf("called %d times, and the target is %q", calls, m.Target)
	}
	boom := func() { calls++; panic("boom") }
	f.observe, f.observed, f.settled = func(*Message) { boom() }, boom, func(string) { boom() }
	for range 2 {
		f.read(&m)
		f.whole()
		f.gone([]*held{{message: m}, {message: m}})
	}
	if calls != 5 || strings.Count(lines.String(), "Observe panicked") != 1 || strings.Count(lines.String(), "Observed panicked") != 1 || strings.Count(lines.String(), "Settled panicked") != 1 {
		t.Errorf("called %d times, and logged\n%s", calls, lines.String())
	}
}
