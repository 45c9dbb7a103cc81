package operation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// operation is one operation. Its goroutine runs it, and ends with it.
type operation struct {
	runner *Runner

	// Under Runner.mu. Written by the operation's goroutine, unless another is named.
	state  State    // Stop and Close set Status
	chosen []string // nil after the end, if a file has them
	cancel context.CancelCauseFunc

	// Of the operation's goroutine alone.
	notes   *notes
	written time.Time // when its progress was written to the journal
	trouble bool      // the journal could not be written, and that was logged
}

const (
	writeEvery = time.Second
	closeWait  = 5 * time.Second // for the broker, to end a connection
)

// run is the goroutine.
func (o *operation) run(ctx context.Context) {
	r := o.runner
	defer r.all.Done()
	o.guard("Busy", func() { r.cfg.Busy(o.state.Queue, true) })
	err := o.work(ctx)
	o.end(ctx, err)
	o.guard("Busy", func() { r.cfg.Busy(o.state.Queue, false) })
	o.change(func(s *State) {
		delete(r.on, s.Queue)
		if s.Status == Done || r.journal != nil {
			o.chosen = nil
		}
	})
}

// work does what the intent says.
func (o *operation) work(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
			o.log().Error("an operation panicked", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	i := o.state.Intent
	q, err := o.runner.cfg.Queue(ctx, i.Queue)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
		defer cancel()
		q.Close(ctx)
	}()
	o.notes = newNotes(i)
	c := call{operation: o, queue: q, intent: i, marks: o.chosen, most: i.Count, hooks: o.hooks()}
	if i.Kind == Export {
		return c.export(ctx)
	}
	if i.Copy {
		if err := c.copy(ctx); err != nil {
			return fmt.Errorf("copy: %w", err)
		}
	}
	if i.Kind == Redrive {
		return c.redrive(ctx)
	}
	return c.discard(ctx)
}

func (o *operation) log() *slog.Logger {
	return o.runner.cfg.Log.With("operation", o.state.ID, "queue", o.state.Queue)
}

// guard calls a hook, and says whether it has returned.
func (o *operation) guard(what string, hook func()) (returned bool) {
	defer func() {
		if p := recover(); p != nil {
			o.log().Error(what+" panicked", "panic", p, "stack", string(debug.Stack()))
		}
	}()
	hook()
	return true
}

// change changes the State, and tells those that watch.
func (o *operation) change(f func(*State)) State {
	r := o.runner
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&o.state)
	r.tell(o.state.ID)
	return o.state.copied()
}

// tell is called with each Progress of the call.
func (o *operation) tell(p errorqueue.Progress) {
	o.notes.began = o.notes.began || p.Batch > 0
	s := o.change(func(s *State) {
		s.Progress = p
		s.Report = s.soFar()
		s.batch(p)
	})
	if now := time.Now(); now.Sub(o.written) >= writeEvery {
		o.written = now
		o.write(s.progressLine(now), false)
	}
}

// write writes a line about what is done. An error does not end the operation, since its messages
// are safe without the line.
func (o *operation) write(l line, sync bool) {
	err := o.runner.journal.Append(l, sync)
	if err != nil && !o.trouble {
		o.log().Error("the journal of operations cannot be written", "error", err)
	}
	o.trouble = err != nil
}

// end notes how the operation has ended.
func (o *operation) end(ctx context.Context, err error) {
	r, now := o.runner, time.Now()
	s := o.change(func(s *State) {
		s.Ended, s.Copying = now, false
		s.Status, s.Err, s.FailedAgain = verdict(context.Cause(ctx), err)
		s.Closed = s.Status == Stopped && errors.Is(context.Cause(ctx), ErrClosed)
		if s.Status == Done {
			s.Report.Missing = max(0, s.Count-s.Report.Moved-s.Report.Failed-s.Report.Illegible)
		}
		if s.File {
			s.FileUntil = now.Add(FileKept)
		}
	})
	if err != nil && s.Status == Failed {
		o.log().Warn("an operation has failed", "kind", s.Kind, "error", err)
	}
	if s.File {
		r.files.expire(s.ID, s.FileUntil)
	}
	o.write(s.endLine(), true)
	if s.Status == Done && r.journal != nil && s.Marks > 0 {
		_ = os.Remove(r.marksFile(s.ID))
	}
	o.guard("Ended", func() { r.cfg.Ended(s) })
}

// verdict says how an operation has ended, of why its context has ended and the error of its call.
func verdict(cause, err error) (status Status, text string, failedAgain bool) {
	switch {
	case err == nil:
		return Done, "", false
	case errors.Is(cause, errStopped) && (errors.Is(err, cause) || errors.Is(err, context.Canceled)):
		return Stopped, "", false
	case errors.Is(cause, errStopped), errors.Is(cause, ErrClosed):
		return Stopped, err.Error(), false
	}
	return Failed, err.Error(), errors.Is(err, errorqueue.ErrFailedAgain)
}
