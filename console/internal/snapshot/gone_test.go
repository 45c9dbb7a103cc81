package snapshot

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// readingOf returns a Reading that shows a snapshot, without a goroutine.
func readingOf(t testing.TB, s *Snapshot) *Reading {
	t.Helper()
	r := newReading(storeOf(t, &fake{}, nil), "orders-error", &fake{})
	r.replace(s)
	return r
}

func TestWhatIsSettledStaysInItsPlaceAndIsNotCounted(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		all := rapid.SliceOfN(messages, 0, 60).Draw(rt, "messages")
		for i := range all {
			all[i].Position = i + 1
		}
		s := snapshotOf(t, all, indexed(t))
		r := readingOf(t, s)
		gone := make([]bool, len(all))
		for _, k := range rapid.SliceOfN(rapid.OneOf(marks, rapid.Just("nothing"), rapid.Just(markOf("z", ""))), 0, 40).Draw(rt, "settled") {
			r.Settled(k)
			for i := range all {
				if all[i].Mark == k && !gone[i] {
					gone[i] = true
					break
				}
			}
		}
		f := filter.Draw(rt, "filter")
		agrees(rt, s, all, f) // all rows are in their places
		counts(rt, s, all, gone, f)
	})
}

// counts compares what a snapshot counts with what is left of the messages.
func counts(t *rapid.T, s *Snapshot, all []errorqueue.Message, gone []bool, f errorqueue.Filter) {
	matcher, err := f.At(s.Began())
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	goneOf, reasons := map[string]int{}, map[string]int{}
	for i := range all {
		if gone[i] {
			goneOf[all[i].Group]++
		} else if matcher.Matches(&all[i]) {
			left = append(left, all[i].Mark)
			reasons[all[i].Reason]++
		}
	}
	marks, complete, err := s.Marks(f)
	if n, errLeft := s.Left(f); err != nil || errLeft != nil || !complete || n != len(left) || !slices.Equal(marks, left) {
		t.Fatalf("%q: %d left, marks %v, %v; want %v", f, n, marks, err, left)
	}
	total := 0
	for _, g := range s.Groups().Groups {
		if g.Gone != goneOf[g.Key] {
			t.Fatalf("%d of group %q are gone, want %d", g.Gone, g.Key, goneOf[g.Key])
		}
		total += g.Gone
	}
	if s.Gone() != total {
		t.Fatalf("%d are gone, want %d", s.Gone(), total)
	}
	counted, err := s.Counts(f, ByReason)
	if err != nil || len(counted) != len(reasons) {
		t.Fatalf("reasons %v, %v; want %v", counted, err, reasons)
	}
	for _, c := range counted {
		if c.Count != reasons[c.Value] {
			t.Fatalf("reasons %v, want %v", counted, reasons)
		}
	}
	rows, _, err := s.Find(errorqueue.Filter{}, Page{Limit: len(all) + 1})
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		if rows[i].Gone != gone[i] {
			t.Fatalf("row %d is gone: %v", i, rows[i].Gone)
		}
	}
}

func TestMarksAreIncompleteIfNotAllMessagesAreRows(t *testing.T) {
	few := snapshotOf(t, failures(4000), func(c *Config) { c.Memory = 100_000 })
	if marks, complete, err := few.Marks(errorqueue.Filter{}); err != nil || complete || len(marks) == 0 || len(marks) == 4000 {
		t.Errorf("%d marks, complete %v, %v", len(marks), complete, err)
	}
	early := storeOf(t, &fake{}, nil).newSnapshot("orders-error", func() bool { return false })
	defer early.drop()
	early.add(&failures(1)[0])
	for _, when := range []string{"before its end", "after an early one"} {
		if marks, complete, _ := early.Marks(errorqueue.Filter{}); complete || len(marks) != 1 {
			t.Errorf("%s: %d marks, complete %v", when, len(marks), complete)
		}
		early.end(errorqueue.ErrHeldTooLong)
	}
}

func TestWhatIsSettledBeyondTheRowsChangesNothing(t *testing.T) {
	all := failures(4000)
	s := snapshotOf(t, all, func(c *Config) { c.Memory = 100_000 })
	r := readingOf(t, s)
	r.Settled(all[3999].Mark)
	r.Settled(all[0].Mark)
	if s.Gone() != 1 || s.left() != -1 {
		t.Errorf("%d are gone, %d left", s.Gone(), s.left())
	}
}

func TestManyAlikeMessagesAreSettledOneByOne(t *testing.T) {
	const n = 100_000
	s := storeOf(t, &fake{}, nil).newSnapshot("orders-error", func() bool { return false })
	defer s.drop()
	m := failures(1)[0]
	for range n {
		s.columns.add(&m, absent, nil)
	}
	s.end(nil)
	r := readingOf(t, s)
	began := time.Now()
	for range n + 1 {
		r.Settled(m.Mark)
	}
	if took := time.Since(began); s.Gone() != n || took > 10*time.Second { // looking at all each time takes minutes
		t.Errorf("%d are gone, after %v", s.Gone(), took)
	}
}
