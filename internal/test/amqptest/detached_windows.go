package amqptest

import "syscall"

// detached starts a process in a group of its own, which a ^C in the terminal does not reach.
func detached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP}
}
