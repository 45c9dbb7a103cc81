package operation

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
)

// file is what a journal needs of an *os.File that is open for appending.
type file interface {
	io.WriteCloser
	Sync() error
	Truncate(size int64) error
}

// journal is the file of lines. It is safe for many goroutines. A nil journal writes nothing.
type journal struct {
	mu     sync.Mutex
	file   file
	size   int64 // of the lines that are whole; written by append
	broken error // a part of a line could not be removed; written by append
}

// append writes a line. With sync it returns when the line is on the disk. After an error the line
// is not there.
func (j *journal) append(l line, sync bool) error {
	if j == nil {
		return nil
	}
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return j.broken
	}
	n, err := j.file.Write(append(text, '\n'))
	if err == nil && sync {
		err = j.file.Sync()
	}
	if err == nil {
		j.size += int64(n)
		return nil
	}
	if wrong := j.file.Truncate(j.size); wrong != nil {
		j.broken = fmt.Errorf("the journal ends with a part of a line, since %w; it is mended by a restart", errors.Join(err, wrong))
	}
	return err
}

func (j *journal) close() {
	if j != nil {
		_ = j.file.Close()
	}
}

const (
	journalName = "operations.jsonl"
	keptStates  = 1000 // operations, at a start
	fewLines    = 5000 // of a journal that need not be made shorter
)

// openJournal reads the journal of a directory, makes it shorter if it is long, and opens it for
// appending.
func openJournal(dir string, open func(name string) (file, error)) (*journal, []*State, int, error) {
	name := filepath.Join(dir, journalName)
	h, err := readJournal(name)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("read the journal: %w", err)
	}
	keep := h.states[max(0, len(h.states)-keptStates):]
	if len(keep) < len(h.states) || h.lines > fewLines {
		size, err := compact(name, keep)
		if err == nil {
			h.whole, h.torn = size, false
		}
		// Without room for a shorter one the journal stays as it is.
	}
	f, err := open(name)
	if err != nil {
		return nil, nil, 0, fmt.Errorf("open the journal: %w", err)
	}
	if h.torn {
		if err := f.Truncate(h.whole); err != nil {
			_ = f.Close()
			return nil, nil, 0, fmt.Errorf("remove a part of a line from the journal: %w", err)
		}
	}
	return &journal{file: f, size: h.whole}, keep, h.wrong, nil
}

func openFile(name string) (file, error) {
	return os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
}

func readJournal(name string) (history, error) {
	f, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return history{}, nil
	}
	if err != nil {
		return history{}, err
	}
	defer func() { _ = f.Close() }()
	return fold(f)
}

// compact replaces the journal by one that has what is still to be known of these operations. A
// kill leaves one of the two.
func compact(name string, keep []*State) (size int64, err error) {
	next := name + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	j := &journal{file: f}
	for _, s := range keep {
		for _, l := range s.lines() {
			if err == nil {
				err = j.append(l, false)
			}
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(next, name)
	}
	if err != nil {
		_ = os.Remove(next)
		return 0, err
	}
	syncDir(filepath.Dir(name))
	return j.size, nil
}

// syncDir puts the names of a directory on the disk, where the system knows how.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}
