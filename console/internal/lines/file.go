package lines

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// Disk is what a File needs of an *os.File that is open for appending.
type Disk interface {
	io.WriteCloser
	Sync() error
	Truncate(size int64) error
}

// File is a file of lines. It is safe for many goroutines. A nil File writes nothing.
type File struct {
	// Immutable.
	disk  Disk
	there func() error // says whether its name still means this file; nil if it has none

	mu     sync.Mutex
	size   int64 // of the lines; written by Append
	broken error // a part of a line could not be removed; written by Append
}

// Open opens a file for appending, or makes it, readable by this user alone.
func Open(name string) (*File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	size, whole, err := ends(f)
	if err == nil && whole < size {
		err = f.Truncate(whole)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	file := New(f, whole)
	file.there = func() error { return there(name, f) }
	return file, nil
}

// ErrGone says that a file was moved or deleted, so that what is written to it is lost.
var ErrGone = errors.New("the file was moved or deleted while it was open")

func there(name string, f *os.File) error {
	is, err := f.Stat()
	if err != nil {
		return err
	}
	if named, err := os.Stat(name); err != nil || !os.SameFile(is, named) {
		return fmt.Errorf("%s: %w", name, ErrGone)
	}
	return nil
}

// New makes a File of what has so many bytes already.
func New(d Disk, size int64) *File { return &File{disk: d, size: size} }

// ends returns where a file ends, and where its last whole line does.
func ends(f *os.File) (size, whole int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	size = info.Size()
	part := make([]byte, 64<<10)
	for end := size; end > 0; end -= int64(len(part)) {
		from := max(0, end-int64(len(part)))
		n, err := f.ReadAt(part[:end-from], from)
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, 0, err
		}
		if at := bytes.LastIndexByte(part[:n], '\n'); at >= 0 {
			return size, from + int64(at) + 1, nil
		}
	}
	return size, 0, nil
}

// Append writes a line. With sync it returns when the line is on the disk. After an error the line
// is not there. One that must be on the disk is not written if nobody would find it: ErrGone.
func (f *File) Append(v any, sync bool) error {
	if f == nil {
		return nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.broken != nil {
		return f.broken
	}
	if sync && f.there != nil {
		if err := f.there(); err != nil {
			return err
		}
	}
	n, err := f.disk.Write(append(text, '\n'))
	if err == nil && sync {
		err = f.disk.Sync()
	}
	if err == nil {
		f.size += int64(n)
		return nil
	}
	if wrong := f.disk.Truncate(f.size); wrong != nil {
		f.broken = fmt.Errorf("the file ends with a part of a line, which a restart removes: %w", errors.Join(err, wrong))
	}
	return err
}

// Size is how many bytes the lines have.
func (f *File) Size() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.size
}

// Close closes the file.
func (f *File) Close() error {
	if f == nil {
		return nil
	}
	return f.disk.Close()
}

// SyncDir puts the names of a directory on the disk, where the system knows how.
func SyncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		_ = d.Close()
	}
}
