package operation

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

func failed(n int, group, text string) *errorqueue.Message {
	return &errorqueue.Message{
		Position: n, ID: fmt.Sprint("m", n), Mark: marksOf(n)[n-1], Group: group, Reason: "timeout", Error: text, AppVersion: "1",
		FailedAt: time.Date(2026, 11, 30, 3, 0, n, 0, time.UTC), Body: []byte("secret body"), Headers: map[string]any{"token": "secret header"},
	}
}

func again(m *errorqueue.Message, redrive string) *errorqueue.Message {
	m.RedriveID, m.AppVersion = redrive, "2"
	return m
}

// While it runs, and at its end, an operation says of each message that failed again whether that
// is the failure of before. The first has the same one, the second another, and the third was never
// seen before.
func TestAnOperationSaysWhetherItIsTheSameFailure(t *testing.T) {
	simulated(t, func(t *testing.T) {
		release := make(chan bool)
		f := &fake{redrive: func(_ context.Context, o errorqueue.RedriveOptions) (errorqueue.RedriveReport, error) {
			o.Progress(errorqueue.Progress{Phase: errorqueue.PhaseReading})
			for _, m := range []*errorqueue.Message{
				failed(1, "refused", "dial 1"), failed(2, "refused", "dial 2"), again(failed(4, "refused", "dial 4"), o.ID), // of an earlier redrive with the ID
			} {
				o.Observe(m)
			}
			o.Progress(errorqueue.Progress{Phase: errorqueue.PhaseMoving, Batch: 1, Moved: 0})
			o.Progress(errorqueue.Progress{Phase: errorqueue.PhaseWatching, Batch: 1, Moved: 1})
			o.Progress(errorqueue.Progress{Phase: errorqueue.PhaseMoving, Batch: 2, Moved: 1})
			o.Progress(errorqueue.Progress{Phase: errorqueue.PhaseMoving, Batch: 2, Moved: 5})
			o.Progress(errorqueue.Progress{Phase: errorqueue.PhaseWatching, Batch: 2, Moved: 5, Watch: time.Minute})
			var all []errorqueue.Message
			for _, m := range []*errorqueue.Message{failed(1, "refused", "dial 7"), failed(2, "expired", "card expired"), failed(3, "expired", "card expired")} {
				again(m, o.ID)
				o.Observe(m)
				o.Observe(m) // the second look
				all = append(all, *m)
			}
			<-release
			return errorqueue.RedriveReport{Moved: 5, Batches: []errorqueue.Batch{{Moved: 1, Watched: true}, {Moved: 4, FailedAgain: 3, Watched: true, Again: all}}},
				fmt.Errorf("batch 2: %w", errorqueue.ErrFailedAgain)
		}}
		dir := t.TempDir()
		r := runner(t, configOf(f, dir))
		i := of("a", "q")
		i.Batches = []int{1, 4}
		start(t, r, i)
		synctest.Wait()
		want := "1: 1 moved, 0 again [] watched; 2: 4 moved, 3 again [m1 dial 1 -> dial 7: yes, m2 dial 2 -> card expired: no, m3  -> card expired: unknown]"
		if got := describe(state(t, r, "a").Batches); got != want {
			t.Errorf("while it runs\n%s, want\n%s", got, want)
		}
		close(release)
		synctest.Wait()
		s := state(t, r, "a")
		if got := describe(s.Batches); got != want+" watched" || s.Status != Failed || !s.FailedAgain {
			t.Errorf("at the end\n%s: %+v", got, s)
		}
		if e := s.Batches[1].Again[0].Earlier; !e.At.Equal(failed(1, "", "").FailedAt) || e.Version != "1" {
			t.Errorf("the earlier failure is %+v", e)
		}
		r.Close(t.Context())
		s = state(t, runner(t, configOf(f, dir)), "a")
		if a := s.Batches[1].Again; !s.FailedAgain || len(a) != 3 || a[1].Same != No || a[1].Mark != marksOf(2)[1] {
			t.Errorf("after a restart: %+v", s)
		}
		nothingOf(t, dir, "secret", "dial", "expired")
	})
}

// nothingOf checks that no file has any of these texts.
func nothingOf(t *testing.T, dir string, texts ...string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		for _, text := range texts {
			if strings.Contains(read(t, name), text) {
				t.Errorf("%s has %q", name, text)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func describe(all []Batch) string {
	var parts []string
	for _, b := range all {
		var list []string
		for _, a := range b.Again {
			list = append(list, fmt.Sprintf("%s %s -> %s: %s", a.ID, a.Earlier.Error, a.Now.Error, a.Same))
		}
		text := fmt.Sprintf("%d: %d moved, %d again [%s]", b.Number, b.Moved, b.FailedAgain, strings.Join(list, ", "))
		if b.Watched {
			text += " watched"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

func TestNotesOfManyFailuresTakeBoundedMemory(t *testing.T) {
	i := of("a", "q")
	i.RedriveID, i.Batches = "a", []int{1}
	n := newNotes(i)
	text := strings.Repeat("x", 1<<20)
	for k := range 100 {
		m := failed(1, "g", fmt.Sprint(k, text))
		m.Mark = fmt.Sprintf("%032x", k)
		n.add(m)
	}
	if n.bytes > noteBytes+2<<20 || len(n.earlier) != 100 {
		t.Errorf("%d bytes for %d messages", n.bytes, len(n.earlier))
	}
	if a := n.compare(again(&errorqueue.Message{Mark: fmt.Sprintf("%032x", 99), Group: "g", Reason: "timeout"}, "a")); a.Same != Yes {
		t.Errorf("the last one: %s", a.Same)
	}
}
