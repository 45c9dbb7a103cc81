package amqptest

import "syscall"

// diesWithParent makes the kernel kill a process whose test binary has died without a cleanup.
func diesWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
