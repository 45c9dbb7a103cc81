package operation

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

func TestTheIntentAndItsMarksAreOnTheDiskBeforeTheCall(t *testing.T) {
	simulated(t, func(t *testing.T) {
		dir, f := t.TempDir(), &fake{}
		var journal string
		var marks []string
		f.redrive = func(_ context.Context, o errorqueue.RedriveOptions) (errorqueue.RedriveReport, error) {
			journal = read(t, filepath.Join(dir, journalName))
			marks, _ = readMarks(filepath.Join(dir, "marks", "op-1.marks"), 3)
			if !slices.Equal(o.Filter.Marks, marksOf(3)) || o.Filter.Reasons[0] != "timeout" || o.Limit != 2 || o.Within != 9 || o.ID != "op-1" || o.All {
				t.Errorf("it is called with %+v", o)
			}
			return errorqueue.RedriveReport{Moved: 1}, nil
		}
		r := runner(t, configOf(f, dir))
		start(t, r, Intent{ID: "op-1", Kind: Redrive, Queue: "orders-error", Filter: "reason=timeout", Chosen: marksOf(3), Count: 2, Within: 9, Who: "ada"})
		synctest.Wait()
		if !strings.HasPrefix(journal, `{"id":"op-1","at":"2000-01-01T00:00:00Z","intent":{`) || !slices.Equal(marks, marksOf(3)) {
			t.Errorf("before the call the journal is %q and the marks are %q", journal, marks)
		}
		s := state(t, r, "op-1")
		if s.Status != Done || s.Report.Moved != 1 || s.Report.Missing != 1 || s.Marks != 3 || s.Chosen != nil || s.RedriveID != "op-1" {
			t.Errorf("at the end: %+v", s)
		}
		if opened, closed := f.opens(); opened != 1 || closed != 1 {
			t.Errorf("the queue was opened %d times and closed %d times", opened, closed)
		}
		if _, err := r.Chosen("op-1"); !errors.Is(err, ErrNoFile) {
			t.Errorf("the marks of what is done: %v", err)
		}
	})
}

func TestWhatIsWrongInAnIntentStartsNothing(t *testing.T) {
	f := &fake{}
	r := runner(t, configOf(f, ""))
	for name, change := range map[string]func(*Intent){
		"no id":         func(i *Intent) { i.ID = "" },
		"a path as id":  func(i *Intent) { i.ID = "../x" },
		"a long id":     func(i *Intent) { i.ID = strings.Repeat("x", maxID+1) },
		"no queue":      func(i *Intent) { i.Queue = "" },
		"no kind":       func(i *Intent) { i.Kind = "" },
		"no count":      func(i *Intent) { i.Count = 0 },
		"no choice":     func(i *Intent) { i.All = false },
		"a filter":      func(i *Intent) { i.Filter = "reason" },
		"a mark":        func(i *Intent) { i.Chosen = []string{"12"} },
		"another field": func(i *Intent) { i.Archive = "a" },
		"a copy":        func(i *Intent) { i.Kind, i.Copy = Export, true },
		"batches":       func(i *Intent) { i.Kind, i.Batches = Delete, []int{1} },
	} {
		i := of("x", "q")
		change(&i)
		if err := r.Start(i); err == nil {
			t.Errorf("%s: it starts", name)
		}
	}
	if opened, _ := f.opens(); opened > 0 || len(r.All()) > 0 {
		t.Errorf("%d queues were opened", opened)
	}
}

func TestAnIDIsUsedOnceAlsoAfterARestart(t *testing.T) {
	simulated(t, func(t *testing.T) {
		dir := t.TempDir()
		first, err := Open(configOf(&fake{}, dir))
		if err != nil {
			t.Fatal(err)
		}
		start(t, first, of("a", "q"))
		synctest.Wait()
		if err := first.Start(of("a", "other")); !errors.Is(err, ErrUsed) {
			t.Errorf("got %v", err)
		}
		first.Close(t.Context())
		if err := runner(t, configOf(&fake{}, dir)).Start(of("a", "q")); !errors.Is(err, ErrUsed) {
			t.Errorf("after a restart: %v", err)
		}
	})
}

func TestAQueueHasOneOperationAtATime(t *testing.T) {
	simulated(t, func(t *testing.T) {
		f := &fake{redrive: func(context.Context, errorqueue.RedriveOptions) (errorqueue.RedriveReport, error) {
			time.Sleep(time.Minute)
			return errorqueue.RedriveReport{}, nil
		}}
		var busy, ended []string
		cfg := configOf(f, t.TempDir())
		cfg.Ended = func(s State) {
			if s.Queue == "orders-error" {
				ended = append(ended, s.ID+" "+string(s.Status))
			}
		}
		cfg.Busy = func(queue string, is bool) {
			if queue == "orders-error" {
				busy = append(busy, map[bool]string{true: "busy", false: "free"}[is])
			}
		}
		r := runner(t, cfg)
		start(t, r, of("a", "orders-error"))
		start(t, r, of("b", "bills-error"))
		if err := r.Start(of("c", "orders-error")); !errors.Is(err, ErrBusy) {
			t.Errorf("got %v", err)
		}
		if id, runs := r.RunsOn("orders-error"); !runs || id != "a" {
			t.Errorf("%q runs: %v", id, runs)
		}
		time.Sleep(2 * time.Minute)
		if _, runs := r.RunsOn("orders-error"); runs {
			t.Error("it runs after its end")
		}
		start(t, r, of("c", "orders-error")) // which was not used up
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if want := []string{"busy", "free", "busy", "free"}; !slices.Equal(busy, want) {
			t.Errorf("told %q, want %q", busy, want)
		}
		if want := []string{"a done", "c done"}; !slices.Equal(ended, want) {
			t.Errorf("told %q, want %q", ended, want)
		}
		if all := r.All(); len(all) != 3 || all[0].ID != "c" {
			t.Errorf("%+v", all)
		}
	})
}

func TestAStoppedOperationKeepsItsReport(t *testing.T) {
	simulated(t, func(t *testing.T) {
		f := &fake{redrive: func(ctx context.Context, o errorqueue.RedriveOptions) (errorqueue.RedriveReport, error) {
			o.Progress(errorqueue.Progress{Moved: 3})
			err := until(ctx)
			time.Sleep(2 * time.Second) // what is in flight is confirmed
			return errorqueue.RedriveReport{Moved: 5}, err
		}}
		dir := t.TempDir()
		r := runner(t, configOf(f, dir))
		changes, stop := r.Watch("a")
		defer stop()
		start(t, r, Intent{ID: "a", Kind: Redrive, Queue: "q", Chosen: marksOf(7), Count: 7})
		synctest.Wait()
		<-changes
		if err := r.Stop("a"); err != nil {
			t.Fatal(err)
		}
		if s := state(t, r, "a"); s.Status != Stopping || s.Report.Moved != 3 {
			t.Errorf("at the stop: %+v", s)
		}
		time.Sleep(3 * time.Second)
		if s := state(t, r, "a"); s.Status != Stopped || s.Report.Moved != 5 || s.Err != "" || !s.Status.Unfinished() {
			t.Errorf("after it: %+v", s)
		}
		<-changes
		if err := r.Stop("a"); !errors.Is(err, ErrOver) {
			t.Errorf("a second stop: %v", err)
		}
		if err := r.Stop("b"); !errors.Is(err, ErrUnknown) {
			t.Errorf("a stop of nothing: %v", err)
		}
		if marks, err := r.Chosen("a"); err != nil || !slices.Equal(marks, marksOf(7)) { // to go on
			t.Errorf("%v, %q", err, marks)
		}
	})
}

func TestCloseStopsOperationsAndWaits(t *testing.T) {
	simulated(t, func(t *testing.T) {
		f := &fake{redrive: func(ctx context.Context, _ errorqueue.RedriveOptions) (errorqueue.RedriveReport, error) {
			err := until(ctx)
			time.Sleep(2 * time.Second)
			return errorqueue.RedriveReport{Moved: 5}, err
		}}
		dir := t.TempDir()
		r := runner(t, configOf(f, dir))
		start(t, r, of("a", "q"))
		synctest.Wait()
		began := time.Now()
		r.Close(t.Context())
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("it has waited for %v", took)
		}
		if err := r.Start(of("b", "q")); !errors.Is(err, ErrClosed) {
			t.Errorf("a start after it: %v", err)
		}
		s := state(t, runner(t, configOf(f, dir)), "a")
		if s.Status != Stopped || s.Report.Moved != 5 || !strings.Contains(s.Err, "closed") {
			t.Errorf("after a restart: %+v", s)
		}
	})
}

// Who closes has no time, so the operation is left without an end.
func TestCloseWaitsNoLongerThanItsContext(t *testing.T) {
	simulated(t, func(t *testing.T) {
		release := make(chan bool)
		f := &fake{redrive: func(context.Context, errorqueue.RedriveOptions) (errorqueue.RedriveReport, error) {
			<-release
			return errorqueue.RedriveReport{}, nil
		}}
		r := runner(t, configOf(f, t.TempDir()))
		start(t, r, of("a", "q"))
		ctx, cancel := context.WithTimeout(t.Context(), second)
		defer cancel()
		r.Close(ctx)
		if s := state(t, r, "a"); s.Status != Stopping {
			t.Errorf("%+v", s)
		}
		close(release)
	})
}

func TestAHookThatPanicsEndsNoOperation(t *testing.T) {
	simulated(t, func(t *testing.T) {
		f := &fake{redrive: func(_ context.Context, o errorqueue.RedriveOptions) (errorqueue.RedriveReport, error) {
			for range 3 {
				o.Observe(&errorqueue.Message{Mark: marksOf(1)[0]})
				o.Settled(marksOf(1)[0])
			}
			return errorqueue.RedriveReport{Moved: 1}, nil
		}}
		observed, settled := 0, 0
		cfg := configOf(f, t.TempDir())
		cfg.Observe = func(string) func(*errorqueue.Message) {
			return func(*errorqueue.Message) { observed++; panic("observe") }
		}
		cfg.Settled = func(string, string) { settled++; panic("settled") }
		cfg.Busy = func(string, bool) { panic("busy") }
		cfg.Ended = func(State) { panic("ended") }
		r := runner(t, cfg)
		start(t, r, of("a", "q"))
		synctest.Wait()
		if s := state(t, r, "a"); s.Status != Done || observed != 1 || settled != 1 {
			t.Errorf("%d observed, %d settled: %+v", observed, settled, s)
		}
	})
}

func TestACallThatPanicsIsAFailedOperation(t *testing.T) {
	simulated(t, func(t *testing.T) {
		cfg := configOf(&fake{}, "")
		cfg.Queue = func(context.Context, string) (Queue, error) { panic("no queue") }
		r := runner(t, cfg)
		start(t, r, of("a", "q"))
		synctest.Wait()
		if s := state(t, r, "a"); s.Status != Failed || s.Err != "panic: no queue" {
			t.Errorf("%+v", s)
		}
		if _, runs := r.RunsOn("q"); runs {
			t.Error("it runs still")
		}
	})
}

func TestWithoutADirectoryOperationsAreInMemory(t *testing.T) {
	simulated(t, func(t *testing.T) {
		t.Chdir(t.TempDir())
		f := &fake{redrive: func(ctx context.Context, _ errorqueue.RedriveOptions) (errorqueue.RedriveReport, error) {
			return errorqueue.RedriveReport{}, errors.New("no broker")
		}}
		r := runner(t, configOf(f, ""))
		start(t, r, Intent{ID: "a", Kind: Redrive, Queue: "q", Chosen: marksOf(2), Count: 2})
		synctest.Wait()
		marks, err := r.Chosen("a")
		if s := state(t, r, "a"); s.Status != Failed || err != nil || len(marks) != 2 || r.Durable() {
			t.Errorf("%v, %q, %+v", err, marks, s)
		}
		if left, _ := os.ReadDir("."); len(left) > 0 {
			t.Errorf("there are files: %v", left)
		}
	})
}

func TestAStopWhileItWaitsForItsTurnIsNoEndOfTheConsole(t *testing.T) {
	simulated(t, func(t *testing.T) {
		f, dir := &fake{redrive: func(ctx context.Context, o errorqueue.RedriveOptions) (errorqueue.RedriveReport, error) {
			<-ctx.Done()
			return errorqueue.RedriveReport{ID: o.ID}, errorqueue.ErrBusy // what it waited for
		}}, t.TempDir()
		r, err := Open(configOf(f, dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"a", "b"} {
			if err := r.Start(of(id, "q-"+id)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if err := r.Stop("a"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		r.Close(context.Background())
		if r, err = Open(configOf(f, dir)); err != nil {
			t.Fatal(err)
		}
		defer r.Close(context.Background())
		for id, closed := range map[string]bool{"a": false, "b": true} {
			if s := state(t, r, id); s.Status != Stopped || s.Err == "" || s.Closed != closed {
				t.Errorf("%s: %s, closed %v, %q", id, s.Status, s.Closed, s.Err)
			}
		}
	})
}
