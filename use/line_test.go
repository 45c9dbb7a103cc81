package use

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// The rule of limits, as a story of one key with ten events a second. Times are in milliseconds.
func TestTheRuleOfSlots(t *testing.T) {
	ten := Limit{Events: 10}.rates()
	burst := Limit{Events: 10, Burst: 3}.rates()
	type step struct {
		at   int
		id   string
		want string
	}
	for _, c := range []struct {
		name  string
		rates rates
		steps []step
	}{
		{"moments are evenly spaced, and a message waits for one that is close", ten, []step{
			{0, "a", "given in 0"}, {0, "b", "given in 100"}, {0, "c", "given in 200"}, {50, "d", "given in 250"},
		}},
		{"a moment is not given before its time after a pause", ten, []step{
			{0, "a", "given in 0"}, {5000, "b", "given in 0"}, {5000, "c", "given in 100"},
		}},
		{"a burst is given at once, and no more of it than there was time for", burst, []step{
			{0, "a", "given in 0"}, {0, "b", "given in 0"}, {0, "c", "given in 0"}, {0, "d", "given in 100"},
			{300, "e", "given in 0"}, {300, "f", "given in 0"}, {300, "g", "given in 100"},
		}},
		{"a message that comes first does not wait for a moment that is far, and gets a place", ten, []step{
			{0, "a", "given in 0"}, {0, "b", "given in 100"}, {0, "c", "given in 200"}, {0, "d", "given in 300"},
			{0, "e", "away for 0"}, {0, "f", "away for 102"}, {0, "g", "away for 204"},
		}},
		{"a message that comes too early keeps its place", ten, []step{
			{0, "a", "given in 0"}, {0, "b", "given in 100"}, {0, "c", "given in 200"}, {0, "d", "given in 300"},
			{0, "e", "away for 0"}, {0, "f", "away for 102"}, {1, "f", "away for 101"}, {2, "g", "away for 202"}, {3, "f", "away for 99"},
		}},
		{"a message that comes in time waits longer than one that comes first", ten, []step{
			{0, "a", "given in 0"}, {0, "b", "given in 100"}, {0, "c", "given in 200"}, {0, "d", "given in 300"},
			{0, "e", "away for 0"}, {10, "new", "away for 92"}, {10, "e", "given in 390"}, {10, "e", "away for 194"},
		}},
		{"a free moment is given to whoever is there", ten, []step{
			{0, "a", "given in 0"}, {0, "b", "given in 100"}, {0, "c", "given in 200"}, {0, "d", "given in 300"},
			{0, "e", "away for 0"}, {100, "new", "given in 300"},
		}},
		{"a place is worth nothing when its message is late by more than near", ten, []step{
			{0, "a", "given in 0"}, {0, "b", "given in 100"}, {0, "c", "given in 200"}, {0, "d", "given in 300"},
			{0, "e", "away for 0"},
			{2100, "p", "given in 0"}, {2100, "q", "given in 100"}, {2100, "r", "given in 200"}, {2100, "s", "given in 300"},
			{2100, "e", "away for 0"}, {2101, "e", "given in 399"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLine(0, c.rates)
			for i, s := range c.steps {
				got := l.ask(time.Duration(s.at)*time.Millisecond, c.rates, Ask{
					ID: s.id, Near: time.Second, Patience: 500 * time.Millisecond, First: 300 * time.Millisecond,
				}, true)
				text := fmt.Sprintf("away for %d", got.Wait.Milliseconds())
				if got.Given {
					text = fmt.Sprintf("given in %d", got.Wait.Milliseconds())
				}
				if text != s.want {
					t.Fatalf("step %d, %s at %d: %s, want %s", i+1, s.id, s.at, text, s.want)
				}
			}
		})
	}
}

// A limit that is raised counts from the last moment that was given, and for the end of the line.
func TestALimitThatIsRaisedIsNotHeldUpByTheOneBefore(t *testing.T) {
	slow, fast := Limit{Events: 1, Per: time.Minute}.rates(), Limit{Events: 10}.rates()
	l := newLine(0, slow)
	ask := func(at time.Duration, r rates, id string) Answer {
		return l.ask(at, r, Ask{ID: id, Near: time.Second, Patience: 500 * time.Millisecond, First: 300 * time.Millisecond}, true)
	}
	if s := ask(0, slow, "a"); !s.Given || s.Wait != 0 {
		t.Fatalf("the first one is answered %+v", s)
	}
	for i := range 100 { // the line is 100 minutes long
		ask(0, slow, fmt.Sprint("old", i))
	}
	const later = 30 * time.Millisecond
	for i := range 3 { // 100, 200 and 300 ms after "a"
		want := time.Duration(i+1)*100*time.Millisecond - later
		if s := ask(later, fast, fmt.Sprint("new", i)); !s.Given || s.Wait != want {
			t.Fatalf("after the limit was raised new message %d is answered %+v, want a moment in %s", i, s, want)
		}
	}
	if s := ask(later, fast, "new"); s.Given || s.Wait > 15*time.Second {
		t.Errorf("one that finds none near is answered %+v, want a place behind 100 others, ten a second", s)
	}
	if s := ask(later, slow, "newer"); s.Given || s.Wait < 9*time.Second {
		t.Errorf("after the limit was lowered a message is answered %+v", s)
	}
}

// Messages that have places may never come. A minute in which nobody does says so.
func TestALineFromWhichNobodyComesIsEmpty(t *testing.T) {
	for _, limit := range []Limit{{Events: 10}, {Events: 10, Burst: 5}, {Events: 1, Per: time.Minute}} {
		r := limit.rates()
		ask := func(l *line, at time.Duration, id string) Answer {
			return l.ask(at, r, Ask{ID: id, Near: time.Second, Patience: time.Second}, true)
		}
		for idle, empty := range map[time.Duration]bool{quiet: false, quiet + 5*time.Second + 20*r.every: true} {
			l := newLine(0, r)
			for i := range 10_000 {
				ask(l, 0, fmt.Sprint("gone", i))
			}
			end := l.places.end
			at := l.next + r.ahead + idle
			for i := range max(limit.Burst, 1) {
				if s := ask(l, at, fmt.Sprint("first", i)); !s.Given || s.Wait != 0 {
					t.Fatalf("%+v: after %s message %d is answered %+v", limit, idle, i, s)
				}
			}
			s := ask(l, at, "second")
			if near := s.Wait < 2*r.every+time.Second; s.Given || near != empty {
				t.Errorf("%+v: after %s the second is answered %+v, with a line until %s", limit, idle, s, end-at)
			}
		}
	}
}

// Whatever messages ask, and whenever they come: the limit holds, each message is handled in the
// end, and no capacity is lost while somebody is there.
func TestWhateverMessagesAskTheLimitHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := Limit{
			Events: rapid.IntRange(1, 2000).Draw(t, "events"),
			Per:    time.Duration(rapid.IntRange(1, 5000).Draw(t, "per")) * time.Millisecond,
		}
		limit.Burst = rapid.IntRange(0, min(limit.Events, 20)).Draw(t, "burst")
		r := limit.rates()
		l := newLine(0, r)
		w := queueOfOne{t: t, line: l, rates: r}
		n := rapid.IntRange(1, 60).Draw(t, "messages")
		for i := range n {
			w.arrive(rapid.Int64Range(0, int64(30*r.every)).Draw(t, "comes"), fmt.Sprint(i))
		}
		for w.step() {
		}
		if len(w.moments) != n {
			t.Fatalf("%d of %d messages had a moment", len(w.moments), n)
		}
		slices.Sort(w.moments)
		for i := range w.moments {
			if b := max(limit.Burst, 1); i >= b && w.moments[i]-w.moments[i-b] < r.every {
				t.Fatalf("%d messages began within %s, less than %s", b+1, w.moments[i]-w.moments[i-b], r.every)
			}
			if most := limit.Events + max(limit.Burst, 1); i >= most && w.moments[i]-w.moments[i-most] < limit.Per {
				t.Fatalf("%d messages began within %s", most+1, w.moments[i]-w.moments[i-most])
			}
		}
		if len(l.places.at) != 0 {
			t.Fatalf("the line still knows %v", l.places.at)
		}
	})
}

// queueOfOne has the messages of one key, each of which comes a little late, asks, and is away.
type queueOfOne struct {
	t       *rapid.T
	line    *line
	rates   rates
	coming  []arrival // the next one first
	moments []time.Duration
}

type arrival struct {
	at    time.Duration
	id    string
	asked int // times
}

func (w *queueOfOne) arrive(at int64, id string) { w.put(arrival{at: time.Duration(at), id: id}) }

func (w *queueOfOne) put(a arrival) {
	i, _ := slices.BinarySearchFunc(w.coming, a.at, func(b arrival, at time.Duration) int { return int(b.at - at) })
	w.coming = slices.Insert(w.coming, i, a)
}

// step has the next message ask.
func (w *queueOfOne) step() bool {
	if len(w.coming) == 0 {
		return false
	}
	a := w.coming[0]
	w.coming = w.coming[1:]
	near := time.Duration(rapid.Int64Range(0, int64(10*w.rates.every)).Draw(w.t, "near"))
	ask := Ask{ID: a.id, Near: near, First: near / 4, Patience: near * 2}
	before, had := w.line.places.at[a.id]
	free := w.line.next <= a.at
	s := w.line.ask(a.at, w.rates, ask, rapid.IntRange(0, 9).Draw(w.t, "kept") > 0)
	switch {
	case s.Wait < 0:
		w.t.Fatalf("it is to wait %s", s.Wait)
	case s.Given && s.Wait > max(ask.Patience, ask.First):
		w.t.Fatalf("it is to wait %s in its slot, with a patience of %s", s.Wait, ask.Patience)
	case s.Given:
		w.moments = append(w.moments, a.at+s.Wait)
		return true
	case free:
		w.t.Fatal("a moment was free, and was not given")
	case had && a.at < before && w.line.places.at[a.id] != before:
		w.t.Fatalf("its place went from %s to %s", before, w.line.places.at[a.id])
	}
	if a.asked++; a.asked > 60*20 {
		w.t.Fatal("it waits for ever")
	}
	late := time.Duration(rapid.Int64Range(0, int64(3*w.rates.every)).Draw(w.t, "late"))
	if rapid.IntRange(0, 9).Draw(w.t, "early") == 0 {
		s.Wait = s.Wait * 9 / 10
	}
	a.at += s.Wait + late
	w.put(a)
	return true
}
