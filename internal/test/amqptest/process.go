package amqptest

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Process is another process of the test binary: a worker that the test watches, stops and kills.
type Process struct {
	t     testing.TB
	cmd   *exec.Cmd
	ended chan struct{} // closed when it has ended and all its output is complete

	mu      sync.Mutex
	output  []byte
	changed chan struct{} // closed and replaced when output has grown
}

// ProcessOption changes how a [Process] is started.
type ProcessOption func(*processOptions)

type processOptions struct {
	megabytes int
	program   []string // with its arguments; none is the test binary
}

// Program starts this executable, with these arguments, in place of the test binary.
func Program(file string, args ...string) ProcessOption {
	return func(o *processOptions) { o.program = append([]string{file}, args...) }
}

// MemoryLimit makes the process die when it asks for more than so many megabytes. The Go runtime
// then ends it at once: no deferred calls run, the exit code is not 0, and the last lines contain
// "out of memory" or "failed to allocate". A worker needs at least some 150 MB. The limit allows
// roughly for the race detector's own memory. The kernel enforces the limit, so the machine is not
// in danger. MemoryLimit is for Linux; elsewhere the test is skipped.
func MemoryLimit(megabytes int) ProcessOption {
	return func(o *processOptions) { o.megabytes = megabytes }
}

// StartProcess starts the test binary with env added to the environment. The package's TestMain
// must check env, and be a worker instead of running tests:
//
//	func TestMain(m *testing.M) {
//		if os.Getenv("WORKER") != "" {
//			os.Exit(work())
//		}
//		...
//
// The process is killed at the test's cleanup, or when the test binary dies (Linux). If the test
// has failed, its output is logged.
func StartProcess(t testing.TB, env []string, options ...ProcessOption) *Process {
	t.Helper()
	var o processOptions
	for _, option := range options {
		option(&o)
	}
	// A TestMain that does not check env must not run tests, which would start processes in turn.
	args := []string{os.Args[0], "-test.run=^$"}
	if o.program != nil {
		args = o.program
	}
	if o.megabytes > 0 {
		if runtime.GOOS != "linux" {
			t.Skip("a memory limit: the kernel keeps to it only on Linux")
		}
		// The limit is for data, not for address space (-v): the race detector reserves terabytes
		// of address space.
		limit := strconv.Itoa(o.megabytes * raceOverhead << 10)
		args = append([]string{"bash", "-c", `ulimit -d "$0" && exec "$@"`, limit}, args...)
	}
	p := &Process{
		t:       t,
		cmd:     exec.Command(args[0], args[1:]...),
		ended:   make(chan struct{}),
		changed: make(chan struct{}),
	}
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = (*processOutput)(p), (*processOutput)(p)
	// For its own child processes, which may still write.
	p.cmd.WaitDelay = 5 * time.Second
	p.cmd.SysProcAttr = diesWithParent()
	started := make(chan error)
	go p.run(started)
	if err := <-started; err != nil {
		t.Fatalf("amqptest: process: %v", err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("process %d, exit code %d, said:\n%s", p.cmd.Process.Pid, p.code(), p.Output())
		}
	})
	return p
}

// run starts the process and waits for its end, on one thread. If the starting thread ended, the
// kernel would take the parent for dead.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := p.cmd.Start()
	started <- err
	if err == nil {
		_ = p.cmd.Wait() // the exit code has the same information
		close(p.ended)
	}
}

// Pid is the process's number.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Kill is kill -9. It returns when the process is gone. The process may have ended before.
func (p *Process) Kill() {
	p.t.Helper()
	p.Signal(syscall.SIGKILL)
	p.Wait(30 * time.Second)
}

// Terminate asks the process to stop (SIGTERM), and does not wait.
func (p *Process) Terminate() { p.t.Helper(); p.Signal(syscall.SIGTERM) }

// Signal sends any signal, such as SIGSTOP. It does nothing if the process has ended.
func (p *Process) Signal(signal syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("amqptest: process: %v: %v", signal, err)
	}
}

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Wait waits for the end of the process and returns its exit code. If a signal ended it, the code
// is 128 plus the signal's number, as in a shell: 137 for kill -9. If the process does not end in
// time, the test fails.
func (p *Process) Wait(within time.Duration) (code int) {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(within):
		if !p.isOver() { // both cases may be ready
			p.t.Fatalf("amqptest: process %d has not ended within %v", p.Pid(), within)
		}
	}
	return p.code()
}

func (p *Process) code() int {
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return p.cmd.ProcessState.ExitCode()
}

// Await waits until the process writes a line that contains text, and returns the first such line.
// If the process ends before, or takes too long, the test fails.
func (p *Process) Await(text string, within time.Duration) string {
	p.t.Helper()
	late := time.After(within)
	for {
		// The order matters: the output of a process that has ended is complete.
		ended := p.isOver()
		p.mu.Lock()
		changed := p.changed
		p.mu.Unlock()
		for _, line := range p.Lines() {
			if strings.Contains(line, text) {
				return line
			}
		}
		if ended {
			p.t.Fatalf("amqptest: process %d has ended with code %d and did not say %q", p.Pid(), p.code(), text)
		}
		select {
		case <-changed:
		case <-p.ended:
		case <-late:
			p.t.Fatalf("amqptest: process %d does not say %q within %v", p.Pid(), text, within)
		}
	}
}

func (p *Process) isOver() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// Output returns what the process has written so far, to stdout and stderr.
func (p *Process) Output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return string(p.output)
}

// Lines returns [Process.Output] in lines. It leaves out an incomplete line while the process runs.
func (p *Process) Lines() []string {
	over := p.isOver()
	p.mu.Lock()
	defer p.mu.Unlock()
	whole := p.output
	if !over {
		whole = whole[:bytes.LastIndexByte(whole, '\n')+1]
	}
	var lines []string
	for line := range strings.Lines(string(whole)) {
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	return lines
}

// processOutput is a Process as an io.Writer for its output.
type processOutput Process

func (o *processOutput) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.output = append(o.output, b...)
	close(o.changed)
	o.changed = make(chan struct{})
	return len(b), nil
}
