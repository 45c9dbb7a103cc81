//go:build !linux

package amqptest

import "syscall"

// diesWithParent: only Linux has that.
func diesWithParent() *syscall.SysProcAttr { return nil }
