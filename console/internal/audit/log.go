package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/console/internal/lines"
	"github.com/bunnicula-go/bunnicula/internal/applog"
)

// Config configures a Log.
type Config struct {
	// Dir is the directory of audit.jsonl. It is made if it is not there. One process at a time
	// may have it.
	//
	// Defaults to none: entries go to the log only.
	Dir string

	// Log defaults to slog.Default().
	Log *slog.Logger
}

const (
	name   = "audit.jsonl"
	rotate = 64 << 20 // bytes
)

// Log takes entries. It is safe for many goroutines.
type Log struct {
	// Immutable.
	dir    string // "" without a file
	log    *slog.Logger
	open   func(name string) (*lines.File, error)
	rotate int64

	mu     sync.Mutex
	file   *lines.File // nil without a directory, and after a failed rotation; written by Write and Close
	closed bool        // written by Close
}

var errClosed = errors.New("audit: it is closed")

// Open opens a Log.
func Open(cfg Config) (*Log, error) {
	l := &Log{dir: cfg.Dir, log: applog.First(cfg.Log), open: lines.Open, rotate: rotate}
	if cfg.Dir == "" {
		return l, nil
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return l, l.begin()
}

// begin opens the file.
func (l *Log) begin() (err error) {
	if l.file, err = l.open(filepath.Join(l.dir, name)); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	lines.SyncDir(l.dir)
	return nil
}

// Write writes an entry, and returns when it is on the disk. With an error it is not there, and the
// action must not be done.
func (l *Log) Write(e Entry) error {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	e.At = e.At.UTC()
	err := l.keep(e)
	level, text := slog.LevelInfo, "audit"
	if err != nil {
		level, text = slog.LevelError, "audit: the entry could not be written, so the action is refused"
	}
	attributes := e.attributes()
	if err != nil {
		attributes = append(attributes, slog.Any("failure", err))
	}
	l.log.LogAttrs(context.Background(), level, text, attributes...)
	return err
}

// keep puts an entry into the file.
func (l *Log) keep(e Entry) error {
	if l.dir == "" {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosed
	}
	if l.file == nil {
		if err := l.begin(); err != nil {
			return err
		}
	}
	if l.file.Size() >= l.rotate {
		if err := l.next(e.At); err != nil {
			return err
		}
	}
	err := l.file.Append(e, true)
	if errors.Is(err, lines.ErrGone) { // such as by a program that rotates logs
		_ = l.file.Close()
		l.file = nil
		if err := l.begin(); err != nil {
			return err
		}
		err = l.file.Append(e, true)
	}
	if err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	return nil
}

// next gives the file a name with a date, and begins another one.
func (l *Log) next(now time.Time) error {
	file := l.file
	l.file = nil
	if err := file.Close(); err != nil {
		return fmt.Errorf("audit: %w", err)
	}
	old := filepath.Join(l.dir, name)
	for n := 1; ; n++ {
		dated := filepath.Join(l.dir, fmt.Sprintf("audit-%s-%d.jsonl", now.Format("20060102T150405Z"), n))
		if _, err := os.Stat(dated); !errors.Is(err, os.ErrNotExist) {
			if err != nil {
				return fmt.Errorf("audit: %w", err)
			}
			continue
		}
		if err := os.Rename(old, dated); err != nil {
			return fmt.Errorf("audit: %w", err)
		}
		return l.begin()
	}
}

// Durable says whether entries are in a file too.
func (l *Log) Durable() bool { return l.dir != "" }

// Close closes the file. A Write after it fails: another process may have the directory by then.
func (l *Log) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	file := l.file
	l.file, l.closed = nil, true
	return file.Close()
}
