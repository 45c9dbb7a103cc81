package operation

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// exports writes a line for each of the first n marks.
func exports(n int) func(context.Context, io.Writer, errorqueue.ExportOptions) (int, error) {
	return func(_ context.Context, w io.Writer, o errorqueue.ExportOptions) (int, error) {
		for _, mark := range marksOf(n) {
			if _, err := io.WriteString(w, mark+"\n"); err != nil {
				return 0, err
			}
			if o.Written != nil {
				o.Written(mark)
			}
		}
		return n, nil
	}
}

func TestWhatIsNotInTheCopyIsLeftAlone(t *testing.T) {
	simulated(t, func(t *testing.T) {
		var got errorqueue.DiscardOptions
		f := &fake{read: 2, export: exports(2), discard: func(_ context.Context, o errorqueue.DiscardOptions) (errorqueue.DiscardReport, error) {
			got = o
			return errorqueue.DiscardReport{Discarded: 2}, nil
		}}
		dir := t.TempDir()
		r := runner(t, configOf(f, dir))
		start(t, r, Intent{ID: "a", Kind: Delete, Queue: "orders-error", All: true, Count: 5, Copy: true})
		synctest.Wait()
		s := state(t, r, "a")
		if !got.Delete || !slices.Equal(got.Filter.Marks, marksOf(2)) || got.Limit != 2 || s.Status != Done || s.Report.Copied != 2 || s.Report.Moved != 2 || !s.File {
			t.Errorf("called with %+v, %+v", got, s)
		}
		file, err := r.File("a")
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(file)
		if err = errors.Join(err, file.Close()); err != nil || string(text) != strings.Join(marksOf(2), "\n")+"\n" || file.Size != int64(len(text)) || file.Name != "orders-error-20000101T000000Z.jsonl" {
			t.Errorf("%v, %+v: %q", err, file, text)
		}
		if info, err := os.Stat(filepath.Join(dir, filesDir, "a"+wholeFile)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", err, info)
		}
		time.Sleep(FileKept + second)
		if _, err := r.File("a"); !errors.Is(err, ErrNoFile) {
			t.Errorf("after an hour: %v", err)
		}
	})
}

func TestNothingMovesWithoutAWholeCopy(t *testing.T) {
	for name, f := range map[string]*fake{
		"fails": {export: func(_ context.Context, w io.Writer, _ errorqueue.ExportOptions) (int, error) {
			_, _ = io.WriteString(w, "half")
			return 1, errors.New("no space left on device")
		}},
		"has less than it says": {export: exports(3), read: 2},
		"is empty":              {export: exports(0)},
	} {
		simulated(t, func(t *testing.T) {
			f.redrive = func(context.Context, errorqueue.RedriveOptions) (errorqueue.RedriveReport, error) {
				t.Errorf("a copy that %s: it is redriven", name)
				return errorqueue.RedriveReport{}, nil
			}
			dir := t.TempDir()
			r := runner(t, configOf(f, dir))
			i := of("a", "q")
			i.Copy = true
			start(t, r, i)
			synctest.Wait()
			if s := state(t, r, "a"); s.Status != Failed || s.File && name != "is empty" || !strings.HasPrefix(s.Err, "copy: ") || s.Report.Moved != 0 {
				t.Errorf("a copy that %s: %+v", name, s)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, filesDir, "*"+partFile)); len(left) > 0 {
				t.Errorf("a copy that %s leaves %v", name, left)
			}
		})
	}
}

func TestAnExportIsOfferedForAnHourAlsoAfterARestart(t *testing.T) {
	dir := t.TempDir()
	f := &fake{read: 4, export: exports(4)}
	first, err := Open(configOf(f, dir))
	if err != nil {
		t.Fatal(err)
	}
	changes, stop := first.Watch("a")
	defer stop()
	i := of("a", "q")
	i.Kind = Export
	start(t, first, i)
	for !state(t, first, "a").Status.Over() {
		<-changes
	}
	put(t, filepath.Join(dir, filesDir, "b"+partFile), "half")
	put(t, filepath.Join(dir, filesDir, "old"+wholeFile), "old")
	long := time.Now().Add(-FileKept)
	if err := os.Chtimes(filepath.Join(dir, filesDir, "old"+wholeFile), long, long); err != nil {
		t.Fatal(err)
	}
	first.Close(t.Context())
	second := runner(t, configOf(f, dir))
	s := state(t, second, "a")
	if left := time.Until(s.FileUntil); s.Status != Done || s.Report.Moved != 4 || !s.File || left > FileKept || left < FileKept-time.Minute {
		t.Errorf("%+v", s)
	}
	file, err := second.File("a")
	if err != nil {
		t.Fatal(err)
	}
	_ = file.Close()
	if all, _ := os.ReadDir(filepath.Join(dir, filesDir)); len(all) != 1 {
		t.Errorf("there are %v", all)
	}
}

func TestWithoutADirectoryFilesEndWithTheRunner(t *testing.T) {
	simulated(t, func(t *testing.T) {
		temp := t.TempDir()
		t.Setenv("TMPDIR", temp)
		r := runner(t, configOf(&fake{read: 1, export: exports(1)}, ""))
		i := of("a", "q")
		i.Kind = Export
		start(t, r, i)
		synctest.Wait()
		file, err := r.File("a")
		if err != nil {
			t.Fatal(err)
		}
		_ = file.Close()
		r.Close(t.Context())
		if all, _ := os.ReadDir(temp); len(all) > 0 {
			t.Errorf("there are %v", all)
		}
	})
}
