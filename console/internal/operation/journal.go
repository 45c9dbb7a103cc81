package operation

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bunnicula-go/bunnicula/console/internal/lines"
)

const (
	journalName = "operations.jsonl"
	keptStates  = 1000 // operations, at a start
	fewLines    = 5000 // of a journal that need not be made shorter
)

// openJournal reads the journal of a directory, makes it shorter if it is long, and opens it for
// appending.
func openJournal(dir string, open func(name string) (*lines.File, error)) (*lines.File, history, error) {
	name := filepath.Join(dir, journalName)
	h, err := readJournal(name)
	if err != nil {
		return nil, h, fmt.Errorf("read the journal: %w", err)
	}
	all := len(h.states)
	h.states = h.states[max(0, all-keptStates):]
	if all > keptStates || h.lines > fewLines {
		_ = compact(name, h.states) // without room for a shorter one the journal stays as it is
	}
	f, err := open(name)
	if err != nil {
		return nil, h, fmt.Errorf("open the journal: %w", err)
	}
	lines.SyncDir(dir)
	return f, h, nil
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
func compact(name string, keep []*State) error {
	next := name + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	j := lines.New(f, 0)
	for _, s := range keep {
		for _, l := range s.lines() {
			if err == nil {
				err = j.Append(l, false)
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
	}
	return err
}
