package control

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var began = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func order(id string, k kind, seq int64, consumers ...string) *record {
	r := &record{Version: ControlVersion, ID: id, Kind: k, Consumers: consumers, At: began, Seq: seq}
	if k == kindLimit {
		r.Limit = 2
	}
	return r
}

func again(r *record) *record {
	c := *r
	c.Again = true
	return &c
}

// winners are the ids of the orders that a book has, by name.
func (b *book) winners() map[string]string {
	all := map[string]string{}
	for name, e := range b.names {
		all[name] = e.order.ID
	}
	return all
}

func read(records ...*record) *book {
	b := newBook()
	for _, r := range records {
		b.add(r, began)
	}
	return b
}

func TestTheLastOrderCountsWhateverItsSeq(t *testing.T) {
	b := read(order("a", kindPause, 5, "x", "y"), order("b", kindLimit, 9, "x"), order("c", kindResume, 3, "x"))
	if got := b.winners(); got["x"] != "c" || got["y"] != "a" {
		t.Errorf("%v", got)
	}
	if b.of(began, "x") != nil || b.of(began, "y") == nil || b.of(began, "z") != nil {
		t.Error("a resume has an effect, or a pause has none")
	}
}

func TestARecordThatWasWrittenAgainDoesNotBeatANewerOrder(t *testing.T) {
	pause, resume := order("a", kindPause, 5, "x"), order("b", kindResume, 6, "x")
	b := read(pause, resume)
	changed, stale := b.add(again(pause), began.Add(time.Hour))
	if len(changed) > 0 || !slices.Equal(stale, []string{"x"}) || b.winners()["x"] != "b" {
		t.Errorf("changed %v, stale %v, counts %v", changed, stale, b.winners())
	}
	b.owe(began, stale...)
	due, _ := b.due(began, func(string) time.Duration { return time.Hour })
	if len(due) != 1 || due[0].ID != "b" || !due[0].Again || due[0].Seq != 6 || due[0].Kind != kindResume {
		t.Errorf("to be written again is %+v, want the resume", due)
	}
	b.add(again(resume), began)
	if due, _ := b.due(began, func(string) time.Duration { return time.Hour }); len(due) != 0 {
		t.Errorf("somebody else has written it, and due is %+v", due)
	}
}

// Whoever joins when the stream has dropped the originals knows the same as those that have read
// them, once the last order was written again.
func TestAReaderOfWrittenAgainRecordsAloneKnowsTheLastOrder(t *testing.T) {
	pause, resume := order("z", kindPause, 5, "x"), order("a", kindResume, 6, "x")
	for _, b := range []*book{read(again(pause), again(resume)), read(again(resume), again(pause))} {
		if b.winners()["x"] != "a" {
			t.Errorf("%v", b.winners())
		}
	}
}

// Two writers who do not know of each other give the same seq. Stream and books agree on the one
// that came later, also where only what was written again is left.
func TestContradictingOrdersWithOneSeqHaveOneWinner(t *testing.T) {
	first, second := order("z", kindPause, 5, "x"), order("a", kindResume, 5, "x")
	b := read(first, second)
	b.add(again(first), began)
	if b.winners()["x"] != "a" {
		t.Errorf("%v", b.winners())
	}
	b.owe(began, "x")
	due, _ := b.due(began, func(string) time.Duration { return time.Hour })
	if late := read(again(first), &due[0]); late.winners()["x"] != "a" {
		t.Errorf("who comes late knows %v", late.winners())
	}
}

// world is a stream, and processes that write orders into it, and write them again, from what each
// has read so far.
type world struct {
	stream []*record
	read   []*book // of each process
	from   []int   // where it began
	next   []int
	orders int
}

func (w *world) catchUp(i, to int) {
	for ; w.next[i] < to; w.next[i]++ {
		w.read[i].add(w.stream[w.next[i]], began)
	}
}

func TestAnyInterleavingOfWhatIsWrittenAgainHasOneWinner(t *testing.T) {
	names := []string{"x", "y", "orders", "orders.p03"}
	rapid.Check(t, func(t *rapid.T) {
		w := &world{}
		for i := range 4 {
			w.read, w.from, w.next = append(w.read, newBook()), append(w.from, i*3), append(w.next, i*3)
		}
		last := map[string]string{} // the last original of each name
		for range rapid.IntRange(5, 40).Draw(t, "steps") {
			i := rapid.IntRange(0, 3).Draw(t, "process")
			if at := len(w.stream); at > w.next[i] {
				w.catchUp(i, rapid.IntRange(w.next[i], at).Draw(t, "read up to"))
			}
			b := w.read[i]
			switch rapid.IntRange(0, 3).Draw(t, "do") {
			case 0, 1: // from what it has read, so two may have the same seq
				w.orders++
				some := rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, 2, rapid.ID[string]).Draw(t, "names")
				id := fmt.Sprint(rapid.SampledFrom([]string{"a", "m", "z"}).Draw(t, "id"), w.orders)
				r := order(id, rapid.SampledFrom([]kind{kindPause, kindLimit, kindResume}).Draw(t, "kind"), b.next(), some...)
				w.stream = append(w.stream, r)
				for _, name := range some {
					last[name] = id
				}
			case 2: // a copy of what it believes, however old that is
				for name := range maps.Keys(b.names) {
					b.owe(began, name)
				}
				due, _ := b.due(began, func(string) time.Duration { return time.Hour })
				for _, r := range due {
					w.stream = append(w.stream, &r)
				}
			}
		}
		for i := range w.read {
			if w.from[i] == 0 {
				w.catchUp(i, len(w.stream))
				if got := w.read[i].winners(); !maps.Equal(got, last) {
					t.Fatalf("who has read all has %v, want the last orders %v", got, last)
				}
			}
		}
		// Then who has read all writes again what it has, and from any place on all is the same.
		whole := w.read[0]
		for name := range last {
			whole.owe(began, name)
		}
		due, _ := whole.due(began, func(string) time.Duration { return time.Hour })
		for _, r := range due {
			w.stream = append(w.stream, &r)
		}
		from := rapid.IntRange(0, len(w.stream)-len(due)).Draw(t, "a late reader begins at")
		if got := read(w.stream[from:]...).winners(); !maps.Equal(got, last) {
			t.Fatalf("a reader from %d on has %v, want %v", from, got, last)
		}
	})
}

func TestTheNewestOfNameAndPartitionsCountsAsAWhole(t *testing.T) {
	later := began.Add(time.Hour)
	short := order("s", kindLimit, 3, "orders.p03")
	short.Until = began.Add(time.Minute)
	for _, c := range []struct {
		about string
		b     *book
		at    time.Time
		want  string
	}{
		{"the queue's is newer", read(order("p", kindLimit, 1, "orders.p03"), order("q", kindPause, 2, "orders")), began, "q"},
		{"the partition's is newer", read(order("q", kindPause, 1, "orders"), order("p", kindLimit, 2, "orders.p03")), began, "p"},
		{"a resume of the partition lifts that of the queue", read(order("q", kindPause, 1, "orders"), order("p", kindResume, 2, "orders.p03")), began, ""},
		{"a resume of the queue lifts that of the partition", read(order("p", kindPause, 1, "orders.p03"), order("q", kindResume, 2, "orders")), began, ""},
		{"the partition's stands", read(order("q", kindPause, 1, "orders"), short), began, "s"},
		{"the partition's has ended, so the queue's stands", read(order("q", kindPause, 1, "orders"), short), later, "q"},
	} {
		got := ""
		if e := c.b.of(c.at, "orders.p03", "orders"); e != nil {
			got = e.order.ID
		}
		if got != c.want {
			t.Errorf("%s: %q counts, want %q", c.about, got, c.want)
		}
	}
}

func TestOrdersEndByThemselves(t *testing.T) {
	pause := order("a", kindPause, 1, "x")
	pause.Until = began.Add(time.Hour)
	b := read(pause)
	if b.of(began.Add(time.Hour-1), "x") == nil || b.of(began.Add(time.Hour), "x") != nil {
		t.Error("it does not end when its time is over")
	}
	if end := b.end(began); !end.Equal(pause.Until) {
		t.Errorf("the next end is %s", end)
	}
	if end := b.end(pause.Until); !end.IsZero() || len(b.standing(pause.Until)) != 0 {
		t.Errorf("after it there is an end at %s, and %v stand", end, b.standing(pause.Until))
	}
}

func TestWhatStandsIsWrittenAgainBeforeItIsDropped(t *testing.T) {
	day := 24 * time.Hour
	short := order("s", kindPause, 3, "short")
	short.Until = began.Add(day)
	b := read(order("r", kindResume, 1, "z"), order("a", kindPause, 2, "x", "y"), order("b", kindLimit, 3, "y"), short,
		order("q", kindPause, 5, "orders"), order("p", kindResume, 6, "orders.p03"))
	after := func(string) time.Duration { return 4 * day }
	if due, next := b.due(began.Add(4*day-1), after); len(due) != 0 || !next.Equal(began.Add(4*day)) {
		t.Errorf("too early due is %+v, and next %s", due, next)
	}
	due, next := b.due(began.Add(4*day), after)
	got := map[string][]string{}
	for _, r := range due {
		if !r.Again || r.check() != nil {
			t.Errorf("%+v", r)
		}
		got[r.ID] = r.Consumers
	}
	want := map[string][]string{"a": {"x"}, "b": {"y"}, "q": {"orders"}, "p": {"orders.p03"}} // p lifts q for one partition, and r lifts nothing
	if !maps.EqualFunc(got, want, slices.Equal) || !next.IsZero() {
		t.Errorf("due is %v, want %v; next %s", got, want, next)
	}
	b.prune(began.Add(20*day), 7*day)
	if _, there := b.names["z"]; there || len(b.names) != 4 {
		t.Errorf("after long it knows %v", b.winners())
	}
}
