package operation

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const lockName = "lock"

// Lock takes a directory, which it makes if it is not there, for a process that has no Runner.
// ErrLocked says that another process has it. The lock ends with Close.
func Lock(dir string) (io.Closer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	return f, nil
}

// lockDir takes a directory for this process. The lock ends with the file, and so with the process.
func lockDir(dir string) (*os.File, error) {
	name := filepath.Join(dir, lockName)
	f, err := lockFile(name)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if f == nil {
		holder := ""
		if text, err := os.ReadFile(name); err == nil {
			holder = strings.TrimSpace(string(text))
		}
		if holder != "" {
			holder = ", process " + holder
		}
		return nil, fmt.Errorf("%s%s: %w: give each console a directory of its own", dir, holder, ErrLocked)
	}
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0) // for people
	}
	return f, nil
}
