//go:build unix

package faults_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// entry is one line of a worker's journal.
type entry struct {
	At          int64  `json:"at"`   // the time of day of the test, in nanoseconds
	What        string `json:"what"` // begin, end or confirmed
	Lane        string `json:"lane"`
	N           int    `json:"n"`
	Attempt     int    `json:"attempt,omitempty"`
	Redelivered bool   `json:"redelivered,omitempty"`
	// At the end: ack, retry, snooze, error, or nothing after a panic.
	Said    string `json:"said,omitempty"`
	Altered string `json:"altered,omitempty"` // parts of the message that were changed

	process string // the owner of the journal
}

const (
	begin     = "begin"     // a handler starts
	end       = "end"       // the handler is about to return
	confirmed = "confirmed" // a message that the handler forwarded is confirmed
)

func (e entry) time() time.Time { return time.Unix(0, e.At) }

// journal records what a worker's handlers do. An entry is on disk before the handler returns, and
// so before the broker can get an ack. Nothing that kills the process removes the entry.
type journal struct{ file *os.File }

func openJournal(path string) (*journal, error) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	return &journal{file}, err
}

// write appends one line with one system call. It must not fail: without the journal nothing about
// the worker could be judged.
func (j *journal) write(e entry) {
	e.At = realTime().UnixNano()
	line, err := json.Marshal(e)
	if err == nil {
		_, err = j.file.Write(append(line, '\n'))
	}
	if err == nil && e.What != begin {
		err = j.file.Sync()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "journal:", err)
		os.Exit(exitJournal)
	}
}

// journals reads the journals in a directory while workers write them.
type journals struct {
	dir     string
	read    map[string]int64 // bytes, by file
	closed  map[string]bool  // files that are complete
	entries []entry
}

func newJournals(dir string) *journals {
	return &journals{dir: dir, read: map[string]int64{}, closed: map[string]bool{}}
}

// poll reads the new lines. It leaves an incomplete line, which a process that was killed may have
// written.
func (j *journals) poll() error {
	files, err := filepath.Glob(filepath.Join(j.dir, "*.journal"))
	if err != nil {
		return err
	}
	for _, file := range files {
		if j.closed[filepath.Base(file)] {
			continue
		}
		more, err := readFrom(file, j.read[file])
		if err != nil {
			return err
		}
		more = more[:bytes.LastIndexByte(more, '\n')+1]
		j.read[file] += int64(len(more))
		for line := range bytes.Lines(more) {
			e := entry{process: filepath.Base(file)}
			if err := json.Unmarshal(line, &e); err != nil {
				return fmt.Errorf("%s: %q: %w", file, line, err)
			}
			j.entries = append(j.entries, e)
		}
	}
	return nil
}

func readFrom(file string, offset int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		return nil, err
	}
	return io.ReadAll(f)
}
