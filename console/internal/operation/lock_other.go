//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package operation

import "os"

// lockFile opens a file. This system has no lock that ends with its process, so a second console
// with the same directory is not refused.
func lockFile(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
}
