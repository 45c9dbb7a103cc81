package amqptest

import "syscall"

// diesWithParent is kill -9 for a process whose test binary died without a cleanup.
func diesWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
