//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package operation

import (
	"errors"
	"os"
	"syscall"
)

// lockFile opens a file that nobody else can open so. It returns nil if somebody has it.
func lockFile(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		return f, nil
	}
	_ = f.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, nil
	}
	return nil, err
}
