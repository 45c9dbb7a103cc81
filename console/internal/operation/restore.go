package operation

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/bunnicula-go/bunnicula/console/internal/lines"
)

// Open makes a Runner, and reads what earlier processes have left in the directory. ErrLocked says
// that another process has it.
func Open(cfg Config) (*Runner, error) { return open(cfg, lines.Open) }

func open(cfg Config, openFile func(string) (*lines.File, error)) (*Runner, error) {
	cfg, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	r := &Runner{
		cfg: cfg, files: newFiles(cfg.Dir),
		known: map[string]*operation{}, on: map[string]*operation{}, watching: map[chan struct{}]string{},
	}
	r.ctx, r.cancel = context.WithCancelCause(context.Background())
	if cfg.Dir == "" {
		return r, nil
	}
	if err := r.restore(openFile); err != nil {
		_ = r.journal.Close()
		if r.lock != nil {
			_ = r.lock.Close()
		}
		return nil, fmt.Errorf("operation: %w", err)
	}
	return r, nil
}

// restore takes over what an earlier process has left.
func (r *Runner) restore(openFile func(string) (*lines.File, error)) error {
	err := os.MkdirAll(r.marksDir(), 0o700)
	if err != nil {
		return err
	}
	if r.lock, err = lockDir(r.cfg.Dir); err != nil {
		return err
	}
	journal, h, err := openJournal(r.cfg.Dir, openFile)
	if err != nil {
		return err
	}
	r.journal = journal
	if h.wrong > 0 {
		r.cfg.Log.Error("the journal of operations has lines that cannot be read", "dir", r.cfg.Dir, "lines", h.wrong)
	}
	kept := r.files.restore(time.Now())
	needed := map[string]bool{}
	for _, s := range h.states {
		s.FileUntil, s.File = kept[s.ID], !kept[s.ID].IsZero()
		o := &operation{runner: r, state: *s}
		r.known[s.ID], r.order = o, append(r.order, o)
		needed[s.ID] = s.Status.Unfinished()
	}
	r.sweep(needed)
	return nil
}

func (r *Runner) marksDir() string { return filepath.Join(r.cfg.Dir, "marks") }

func (r *Runner) marksFile(id string) string { return filepath.Join(r.marksDir(), id+".marks") }

// sweep removes files of marks that nobody can need any more.
func (r *Runner) sweep(needed map[string]bool) {
	all, _ := os.ReadDir(r.marksDir())
	for _, entry := range all {
		name := filepath.Join(r.marksDir(), entry.Name())
		if id := entry.Name()[:max(0, len(entry.Name())-len(".marks"))]; !needed[id] || name != r.marksFile(id) {
			_ = os.Remove(name)
		}
	}
}
