package operation

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// call is what an operation asks of its queue. One goroutine uses it, that of the operation.
type call struct {
	// Immutable.
	operation *operation
	queue     Queue
	intent    Intent
	hooks     hooks

	// Written by copy.
	marks []string // of the messages that may be touched, nil if the filter chooses
	most  int      // messages
}

func (c *call) redrive(ctx context.Context) error {
	i := c.intent
	report, err := c.queue.Redrive(ctx, errorqueue.RedriveOptions{
		Filter: i.filter(c.marks), All: i.All, To: i.To, Limit: c.most, Rate: i.Rate,
		Batches: i.Batches, Watch: i.Watch, Tolerate: i.Tolerate, ID: i.RedriveID, Now: i.Now, Within: i.Within,
		Observe: c.hooks.observe, Observed: c.hooks.observed, Settled: c.hooks.settled, Progress: c.operation.tell,
	})
	c.operation.change(func(s *State) {
		copied := s.Report.Copied
		s.Report = Report{
			Matched: report.Matched, Moved: report.Moved, MaybeTwice: report.MaybeTwice, Failed: report.Failed,
			Illegible: report.Illegible, Watch: report.Watch, Took: report.Took, Failures: report.Failures, Copied: copied,
		}
		for _, t := range report.Targets {
			s.Report.Targets = append(s.Report.Targets, t.Queue)
		}
		s.Batches = c.operation.notes.batches(report.Batches)
	})
	return err
}

func (c *call) discard(ctx context.Context) error {
	i := c.intent
	report, err := c.queue.Discard(ctx, errorqueue.DiscardOptions{
		Filter: i.filter(c.marks), All: i.All, Delete: i.Kind == Delete, Archive: i.Archive, Limit: c.most, Rate: i.Rate,
		Now: i.Now, Within: i.Within, Observe: c.hooks.observe, Observed: c.hooks.observed, Settled: c.hooks.settled, Progress: c.operation.tell,
	})
	c.operation.change(func(s *State) {
		copied := s.Report.Copied
		s.Report = Report{
			Matched: report.Matched, Moved: report.Discarded, MaybeTwice: report.MaybeTwice, Failed: report.Failed,
			Illegible: report.Illegible, Took: report.Took, Failures: report.Failures, Copied: copied,
		}
		if report.Archive != "" {
			s.Report.Targets = []string{report.Archive}
		}
	})
	return err
}

func (c *call) export(ctx context.Context) error {
	began := time.Now()
	n, err := c.file(ctx, nil)
	c.operation.change(func(s *State) {
		s.Report = Report{Matched: n, Moved: n, Took: time.Since(began)}
		s.File = err == nil
	})
	return err
}

// copy exports what is to be touched, and sees to it that nothing else is.
func (c *call) copy(ctx context.Context) error {
	c.operation.change(func(s *State) { s.Copying = true })
	marks := []string{}
	n, err := c.file(ctx, func(mark string) { marks = append(marks, mark) })
	c.operation.change(func(s *State) {
		s.Copying, s.Report.Copied = false, n
		s.File = err == nil
	})
	if err == nil && n == 0 {
		err = errorqueue.ErrGone
	}
	c.marks, c.most = marks, n
	return err
}

// file writes the chosen messages into the operation's file, and reads it once more: only a file
// that is whole on the disk can be had.
func (c *call) file(ctx context.Context, written func(mark string)) (messages int, err error) {
	files, i := c.operation.runner.files, c.intent
	f, err := files.part(i.ID)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
			_ = os.Remove(f.Name())
		}
	}()
	n, err := c.queue.Export(ctx, f, errorqueue.ExportOptions{
		Filter: i.filter(c.marks), Limit: c.most, Now: i.Now, Within: i.Within,
		Observe: c.hooks.observe, Written: written, Progress: c.operation.tell,
	})
	if err != nil {
		return n, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return n, err
	}
	report, err := c.queue.Import(ctx, f, errorqueue.ImportOptions{DryRun: true})
	if err != nil {
		return n, fmt.Errorf("check the file: %w", err)
	}
	if report.Messages != n {
		return n, fmt.Errorf("check the file: it has %d messages, and %d were written", report.Messages, n)
	}
	return n, files.publish(i.ID, f)
}
