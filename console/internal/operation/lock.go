package operation

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const lockName = "lock"

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
