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
	At          int64  `json:"at"`   // wall clock of the test, nanoseconds
	What        string `json:"what"` // begin, end or confirmed
	Lane        string `json:"lane"`
	N           int    `json:"n"`
	Attempt     int    `json:"attempt,omitempty"`
	Redelivered bool   `json:"redelivered,omitempty"`
	Said        string `json:"said,omitempty"`    // at the end: ack, retry, snooze, error, or nothing after a panic
	Altered     string `json:"altered,omitempty"` // what of the message is not as it was published

	process string // whose journal it is
}

const (
	begin     = "begin"     // a handler starts
	end       = "end"       // it is about to return
	confirmed = "confirmed" // a message that it forwarded is confirmed
)

func (e entry) time() time.Time { return time.Unix(0, e.At) }

// journal is what a worker's handlers write down. What one says is on disk before it returns,
// and so before the broker can hear of it: nothing that kills the process makes it unsaid.
type journal struct{ file *os.File }

func openJournal(path string) (*journal, error) {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	return &journal{file}, err
}

// write appends one line by one system call. Without it nothing that the worker did could be judged, so it must
// not fail.
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

// journals reads the journals in a directory while they are being written.
type journals struct {
	dir     string
	read    map[string]int64 // bytes, by file
	closed  map[string]bool  // files to which nothing is added any more
	entries []entry
}

func newJournals(dir string) *journals {
	return &journals{dir: dir, read: map[string]int64{}, closed: map[string]bool{}}
}

// poll adds what is new. Half a line, of a process that was killed while it wrote, is left.
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
