package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/cobra"
)

// boundFlags adds the flags that keep a change to what a dry run has counted.
func boundFlags(cmd *cobra.Command, within *int, now *time.Time, settled *settledFile) {
	flags := cmd.Flags()
	flags.IntVar(within, "within", 0, "only the first so many of the queue, such as what a dry run\nhas read; 0 for all")
	flags.TimeVar(now, "now", time.Time{}, []string{time.RFC3339Nano}, "the moment that older= and newer= count from, such as that of\na dry run (default now)")
	flags.StringVar(&settled.name, "settled", "", "a new file for the mark of each message that is no longer\nparked, a line each")
}

// frozen returns the moment of --now, or else of this call: the choice does not change while
// somebody thinks about a question.
func frozen(now time.Time) time.Time {
	if now.IsZero() {
		return time.Now()
	}
	return now
}

// settledFile gets the marks of messages as they are moved, so that it has them also if the command
// is killed. The command's goroutine uses it.
type settledFile struct {
	name string // "" if nobody has asked for it
	file *os.File
	some bool  // a mark was written
	err  error // the first of writing
}

// open makes the file, before any message is moved.
func (s *settledFile) open() error {
	if s.name == "" {
		return nil
	}
	f, err := os.OpenFile(s.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return usage(fmt.Errorf("--settled is %q, want a file that is not there yet", s.name))
	}
	s.file = f
	return err
}

// add writes a mark.
func (s *settledFile) add(mark string) {
	if s.file == nil || s.err != nil {
		return
	}
	_, s.err = s.file.WriteString(mark + "\n")
	s.some = true
}

// close ends the file, and removes it if no message was moved.
func (s *settledFile) close() error {
	if s.file == nil {
		return nil
	}
	err := errors.Join(s.err, s.file.Close())
	if !s.some {
		err = errors.Join(err, os.Remove(s.name))
	}
	if err != nil {
		return fmt.Errorf("--settled: %w", err)
	}
	return nil
}
