package operation

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/console/internal/lines"
)

// FileKept is how long the file of an export or a copy is kept after the end of its operation.
const FileKept = time.Hour

const (
	filesDir  = "files"
	wholeFile = ".jsonl"
	partFile  = ".part" // until it was checked
)

// files are exports and copies, readable by this user alone, each by the ID of its operation. They
// are below the directory of the Runner, or in a temporary one that close removes.
type files struct {
	parent string // immutable; "" is the system's directory of temporary files

	mu     sync.Mutex
	dir    string // "" before the first file; written by part
	timers map[string]*time.Timer
	closed bool
}

func newFiles(parent string) *files { return &files{parent: parent, timers: map[string]*time.Timer{}} }

// part makes the file of an operation, which is not to be seen before publish.
func (f *files) part(id string) (*os.File, error) {
	dir, err := f.make()
	if err != nil {
		return nil, err
	}
	return os.OpenFile(filepath.Join(dir, id+partFile), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
}

// make makes the directory.
func (f *files) make() (dir string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return "", ErrClosed
	case f.dir != "":
		return f.dir, nil
	case f.parent == "":
		f.dir, err = os.MkdirTemp("", "bunnicula-console-")
		return f.dir, err
	}
	dir = filepath.Join(f.parent, filesDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	f.dir = dir
	return dir, nil
}

// publish closes a file that is whole, and gives it its name. All that is on the disk then.
func (f *files) publish(id string, part *os.File) error {
	if err := errors.Join(part.Sync(), part.Close()); err != nil {
		return err
	}
	if err := os.Rename(part.Name(), f.name(id)); err != nil {
		return err
	}
	lines.SyncDir(filepath.Dir(part.Name()))
	return nil
}

func (f *files) name(id string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return filepath.Join(f.dir, id+wholeFile)
}

// expire removes the file of an operation when its time is over.
func (f *files) expire(id string, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed && f.dir != "" {
		name := filepath.Join(f.dir, id+wholeFile)
		f.timers[id] = time.AfterFunc(time.Until(at), func() { _ = os.Remove(name) })
	}
}

// restore looks for the files of an earlier process, and removes those that are not whole or whose
// time is over. It returns until when the others are kept.
func (f *files) restore(now time.Time) map[string]time.Time {
	dir := filepath.Join(f.parent, filesDir)
	all, err := os.ReadDir(dir)
	if f.parent == "" || err != nil {
		return nil
	}
	f.mu.Lock()
	f.dir = dir
	f.mu.Unlock()
	kept := map[string]time.Time{}
	for _, entry := range all {
		info, err := entry.Info()
		if err != nil {
			continue
		}
		id, whole := strings.CutSuffix(entry.Name(), wholeFile)
		until := info.ModTime().Add(FileKept)
		if !whole || !until.After(now) {
			_ = os.Remove(filepath.Join(dir, entry.Name()))
			continue
		}
		kept[id] = until
		f.expire(id, until)
	}
	return kept
}

// close ends the timers. Files in a temporary directory are removed.
func (f *files) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for _, t := range f.timers {
		t.Stop()
	}
	if f.parent == "" && f.dir != "" {
		_ = os.RemoveAll(f.dir)
	}
}

// File is a whole file of messages as errorqueue.Export writes it. The caller closes it.
type File struct {
	Name string // for people
	Size int64  // bytes
	io.ReadSeekCloser
}

// open opens the file of an operation.
func (f *files) open(s State) (*File, error) {
	opened, err := os.Open(f.name(s.ID))
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNoFile
	}
	if err != nil {
		return nil, err
	}
	info, err := opened.Stat()
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	name := fmt.Sprintf("%s-%s%s", s.Queue, s.Began.UTC().Format("20060102T150405Z"), wholeFile)
	return &File{Name: name, Size: info.Size(), ReadSeekCloser: opened}, nil
}

// File opens the file of an export, or the copy that an operation has made. It is kept for FileKept
// after the end. The errors are ErrUnknown and ErrNoFile.
func (r *Runner) File(id string) (*File, error) {
	s, ok := r.State(id)
	err := ErrUnknown
	if ok {
		err = ErrNoFile
	}
	if !s.File {
		return nil, fmt.Errorf("operation: %s: %w", id, err)
	}
	f, err := r.files.open(s)
	if err != nil {
		return nil, fmt.Errorf("operation: %s: %w", id, err)
	}
	return f, nil
}
