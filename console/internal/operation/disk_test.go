package operation

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/bunnicula-go/bunnicula/console/internal/lines"
	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// disk is a disk that may be full.
type disk struct {
	lines.Disk
	full   bool // writes half of it
	unsure bool // Sync fails
	stuck  bool // Truncate fails
}

var errDisk = errors.New("no space left on device")

func (d *disk) Write(b []byte) (int, error) {
	if d.full {
		n, _ := d.Disk.Write(b[:len(b)/2])
		return n, errDisk
	}
	return d.Disk.Write(b)
}

func (d *disk) Sync() error {
	if d.unsure {
		return errDisk
	}
	return d.Disk.Sync()
}

func (d *disk) Truncate(n int64) error {
	if d.stuck {
		return errDisk
	}
	return d.Disk.Truncate(n)
}

func TestAFullDiskRefusesOperationsAndNothingIsDone(t *testing.T) {
	simulated(t, func(t *testing.T) {
		dir, f, d := t.TempDir(), &fake{}, &disk{}
		name := filepath.Join(dir, journalName)
		r, err := open(configOf(f, dir), func(name string) (*lines.File, error) {
			f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
			d.Disk = f
			return lines.New(d, 0), err
		})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close(context.Background())
		i := of("a", "q")
		i.Chosen = marksOf(2)
		refused := func(what string) {
			t.Helper()
			if err := r.Start(i); !errors.Is(err, ErrJournal) || !errors.Is(err, errDisk) {
				t.Errorf("%s: %v", what, err)
			}
			marks, _ := os.ReadDir(filepath.Join(dir, "marks"))
			if opened, _ := f.opens(); opened > 0 || len(r.All()) > 0 || len(marks) > 0 {
				t.Errorf("%s: something was done: %d opened, %v", what, opened, marks)
			}
		}
		d.full = true
		refused("full")
		d.full, d.unsure = false, true
		refused("unsure")
		if text := read(t, name); text != "" {
			t.Errorf("the journal has %q", text)
		}
		d.unsure = false
		start(t, r, i) // the id was not used up
		synctest.Wait()
		if s := state(t, r, "a"); s.Status != Done {
			t.Errorf("with room: %+v", s)
		}
		d.full, d.stuck, i.ID = true, true, "b"
		if err := r.Start(i); !errors.Is(err, ErrJournal) {
			t.Errorf("stuck: %v", err)
		}
		d.full, d.stuck = false, false
		if err := r.Start(i); !errors.Is(err, ErrJournal) {
			t.Errorf("behind a part of a line: %v", err)
		}
		h, err := readJournal(name)
		if err != nil || len(h.states) != 1 || h.states[0].Status != Done {
			t.Errorf("%v, %+v", err, h)
		}
	})
}

// What was done is done, though the journal cannot say it.
func TestADiskThatIsFullLaterEndsNoOperation(t *testing.T) {
	simulated(t, func(t *testing.T) {
		d := &disk{}
		f := &fake{redrive: func(_ context.Context, o errorqueue.RedriveOptions) (errorqueue.RedriveReport, error) {
			d.full = true
			o.Progress(errorqueue.Progress{Moved: 1})
			return errorqueue.RedriveReport{Moved: 2}, nil
		}}
		dir := t.TempDir()
		r, err := open(configOf(f, dir), func(name string) (*lines.File, error) {
			f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
			d.Disk = f
			return lines.New(d, 0), err
		})
		if err != nil {
			t.Fatal(err)
		}
		start(t, r, of("a", "q"))
		synctest.Wait()
		if s := state(t, r, "a"); s.Status != Done || s.Report.Moved != 2 {
			t.Errorf("%+v", s)
		}
		r.Close(t.Context())
		if s := state(t, runner(t, configOf(f, dir)), "a"); s.Status != Interrupted {
			t.Errorf("after a restart: %+v", s)
		}
	})
}
