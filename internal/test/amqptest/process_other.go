//go:build !linux

package amqptest

import "syscall"

// diesWithParent does nothing: only Linux has this feature.
func diesWithParent() *syscall.SysProcAttr { return nil }
