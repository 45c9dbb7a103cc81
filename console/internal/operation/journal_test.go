package operation

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/console/internal/lines"
	"github.com/bunnicula-go/bunnicula/errorqueue"
)

func TestTheJournalHasTheProgressOfEachSecond(t *testing.T) {
	simulated(t, func(t *testing.T) {
		dir := t.TempDir()
		f := &fake{redrive: func(_ context.Context, o errorqueue.RedriveOptions) (errorqueue.RedriveReport, error) {
			for i := range 35 {
				o.Progress(errorqueue.Progress{Of: 40, Read: i, Moved: i})
				time.Sleep(100 * time.Millisecond)
			}
			return errorqueue.RedriveReport{Moved: 35}, nil
		}}
		r := runner(t, configOf(f, dir))
		start(t, r, of("a", "q"))
		time.Sleep(time.Minute)
		text := read(t, filepath.Join(dir, journalName))
		if n := strings.Count(text, `"progress":`); n != 4 || strings.Count(text, "\n") != 6 {
			t.Errorf("%d lines of progress in\n%s", n, text)
		}
	})
}

func TestAnIntentWithoutAnEndIsInterrupted(t *testing.T) {
	at := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	i := of("a", "q")
	i.RedriveID, i.Chosen, i.Marks = "fix", nil, 2
	whole := textOf(t,
		line{ID: "a", At: at, Intent: &i},
		line{ID: "a", At: at.Add(second), Progress: &soFar{Progress: errorqueue.Progress{Of: 9, Moved: 4, Batch: 1}, Batches: []Batch{{Number: 1, Moved: 4}}}},
	)
	next := textOf(t, line{ID: "a", At: at.Add(2 * second), End: &end{Status: Done}})
	for cut := 0; cut < len(next); cut += 9 { // wherever the process was killed
		dir := t.TempDir()
		put(t, filepath.Join(dir, journalName), whole+next[:cut])
		if err := os.Mkdir(filepath.Join(dir, "marks"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := writeMarks(filepath.Join(dir, "marks", "a.marks"), marksOf(2)); err != nil {
			t.Fatal(err)
		}
		r, err := Open(configOf(&fake{}, dir))
		if err != nil {
			t.Fatal(err)
		}
		s := state(t, r, "a")
		if s.Status != Interrupted || s.Report.Moved != 4 || s.RedriveID != "fix" || !s.Ended.Equal(at.Add(second)) || len(s.Batches) != 1 || !s.Status.Unfinished() {
			t.Fatalf("cut at %d: %+v", cut, s)
		}
		if marks, err := r.Chosen("a"); err != nil || !slices.Equal(marks, marksOf(2)) {
			t.Fatalf("%v, %q", err, marks)
		}
		start(t, r, of("b", "q"))
		r.Close(t.Context())
		h, err := readJournal(filepath.Join(dir, journalName))
		if err != nil || h.wrong > 0 || len(h.states) != 2 || h.states[1].Status == Interrupted {
			t.Fatalf("cut at %d, what follows the part of a line cannot be read: %v, %+v", cut, err, h)
		}
	}
}

func TestAShorterJournalSaysTheSame(t *testing.T) {
	dir := t.TempDir()
	var all []line
	at := time.Date(2026, 11, 30, 3, 0, 0, 0, time.UTC)
	for n := range keptStates + 5 {
		i := of(fmt.Sprint("op", n), "q")
		i.Within, i.At = n, at
		all = append(all, line{ID: i.ID, At: at, Intent: &i})
		for k := range n % 4 {
			all = append(all, line{ID: i.ID, At: at.Add(time.Duration(k) * second), Progress: &soFar{Progress: errorqueue.Progress{Moved: k}, Copying: k == 1, Copied: k}})
		}
		if n%3 == 0 {
			again := []Batch{{Number: 1, Moved: 3, FailedAgain: 1, Watched: true, Again: []Again{{Mark: marksOf(1)[0], Same: No}}}}
			all = append(all, line{ID: i.ID, At: at.Add(time.Minute), End: &end{Status: Failed, Err: "too many", FailedAgain: true, Report: Report{Moved: n}, Batches: again}})
		}
	}
	name := filepath.Join(dir, journalName)
	put(t, name, textOf(t, all...))
	before, err := readJournal(name)
	if err != nil {
		t.Fatal(err)
	}
	f, h, err := openJournal(dir, lines.Open)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
	after, err := readJournal(name)
	if err != nil || len(after.states) != keptStates || after.lines >= before.lines || len(h.states) != keptStates {
		t.Fatalf("%v: %d operations in %d lines", err, len(after.states), after.lines)
	}
	for i, s := range after.states {
		if was := before.states[i+5]; !reflect.DeepEqual(s, was) {
			t.Fatalf("now %+v, before %+v", s, was)
		}
	}
}

func TestALineThatMeansNothingIsPassedOver(t *testing.T) {
	i := of("a", "q")
	text := "null\n{}\nhello\n" + textOf(t, line{ID: "x", End: &end{}}, line{ID: "a", Intent: &i}) + "\n" + textOf(t, line{ID: "a", End: &end{Status: Done}})
	h, err := fold(strings.NewReader(text))
	if err != nil || h.wrong != 5 || len(h.states) != 1 || h.states[0].Status != Done {
		t.Errorf("%v, %+v", err, h)
	}
}

func TestASecondRunnerOfADirectoryIsRefused(t *testing.T) {
	dir := t.TempDir()
	first, err := Open(configOf(&fake{}, dir))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Open(configOf(&fake{}, dir))
	if want := fmt.Sprintf("operation: %s, process %d: another process uses this directory", dir, os.Getpid()); !errors.Is(err, ErrLocked) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	first.Close(t.Context())
	runner(t, configOf(&fake{}, dir))
}

func TestADirectoryThatCannotBeUsedIsAnError(t *testing.T) {
	name := filepath.Join(t.TempDir(), "file")
	put(t, name, "")
	if _, err := Open(configOf(&fake{}, name)); err == nil {
		t.Error("a file is used as a directory")
	}
}

func TestMarksThatAreNotWholeAreAnError(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.marks")
	if err := writeMarks(name, marksOf(3)); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", err, info.Mode())
	}
	whole := read(t, name)
	for cut := range len(whole) {
		put(t, name, whole[:cut])
		if marks, err := readMarks(name, 3); err == nil {
			t.Fatalf("%d of %d bytes are read as %q", cut, len(whole), marks)
		}
	}
	put(t, name, strings.Replace(whole, "\x02", "\x07", 1))
	if marks, err := readMarks(name, 3); err == nil {
		t.Errorf("other marks are read: %q", marks)
	}
}

func textOf(t *testing.T, all ...line) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "lines")
	f, err := lines.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		if err := f.Append(l, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return read(t, name)
}

func put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
