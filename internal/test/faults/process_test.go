//go:build unix

package faults_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// process is a worker as the test sees it.
type process struct {
	name    string // of its files, without their suffixes
	dir     string
	cmd     *exec.Cmd
	stdin   io.Closer
	log     *os.File
	ordered atomic.Bool // the test has killed it
	asked   atomic.Bool // the test has sent SIGTERM

	ready chan struct{} // closed when its consumers consume
	done  chan struct{} // closed when it has ended; only then may the fields below be read

	code int       // -1 is a signal
	end  string    // how it ended, for people
	last *farewell // nil if it printed none
}

func startProcess(dir, name string, config workerConfig) (*process, error) {
	p := &process{name: name, dir: dir, ready: make(chan struct{}), done: make(chan struct{})}
	config.Journal = filepath.Join(dir, name+".journal")
	value, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	binary := config.Clock.Binary
	if binary == "" {
		if binary, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	if p.log, err = os.Create(filepath.Join(dir, name+".log")); err != nil {
		return nil, err
	}
	p.cmd = exec.Command(binary)
	p.cmd.Env = append(os.Environ(), workerVariable+"="+string(value), config.Clock.variable(),
		// Otherwise the race detector delays each end by a second.
		"GORACE=atexit_sleep_ms=0")
	p.cmd.Stderr = p.log
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		p.stdin, err = p.cmd.StdinPipe()
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		_ = p.log.Close()
		return nil, err
	}
	go p.follow(out) // until the process ends; whoever started it waits for done
	return p, nil
}

func (p *process) follow(out io.Reader) {
	defer close(p.done)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		line := lines.Text()
		if line == readyLine {
			close(p.ready)
		} else if text, ok := strings.CutPrefix(line, farewellLine); ok {
			p.last = new(farewell)
			if err := json.Unmarshal([]byte(text), p.last); err != nil {
				p.last = nil
			}
		}
	}
	_ = p.cmd.Wait() // the state has the same information
	_ = p.stdin.Close()
	_ = p.log.Close()
	p.code, p.end = p.cmd.ProcessState.ExitCode(), p.cmd.ProcessState.String()
}

// kill is kill -9. It returns when the process is gone.
func (p *process) kill() {
	p.ordered.Store(true)
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.done
}

// terminate is SIGTERM. It waits until the process has ended, and kills a process that does not end
// in time. Then it is false.
func (p *process) terminate(within time.Duration) bool {
	p.asked.Store(true)
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // its log gets the stacks
		select {
		case <-p.done:
		case <-time.After(2 * time.Second):
			p.kill()
		}
		return false
	}
}

// tail returns the end of the process's log.
func (p *process) tail() string {
	text, err := os.ReadFile(filepath.Join(p.dir, p.name+".log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2_000):])
}

// ended says whether the process has ended.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// started says whether its consumers have ever consumed.
func (p *process) started() bool {
	select {
	case <-p.ready:
		return true
	default:
		return false
	}
}

// judge returns complaints about a process that did not end well. killing says that it died while
// it handled a message that kills.
func (p *process) judge(killing bool, stuck, goroutines int) (complaints []string) {
	complain := func(format string, args ...any) {
		complaints = append(complaints, p.name+": "+fmt.Sprintf(format, args...))
	}
	switch {
	case p.ordered.Load():
		return nil
	case p.last == nil && killing:
		return nil
	case p.last == nil && p.asked.Load() && !p.started():
		return nil // it ended before it listened to signals
	case p.last == nil:
		complain("died by itself: %s\n%s", p.end, p.tail())
		return complaints
	}
	if p.last.StopError != "" && stuck == 0 {
		complain("did not stop: %s", p.last.StopError)
	}
	if n := strings.Count(p.last.Leaks, "Goroutine "); n > 0 && stuck == 0 {
		complain("leaks %d goroutines: %s", n, p.last.Leaks)
	}
	if p.last.MaxGoroutines > goroutines {
		complain("had %d goroutines at one time, want %d at most", p.last.MaxGoroutines, goroutines)
	}
	if p.last.Stuck > stuck {
		complain("%d handlers are stuck, want %d at most", p.last.Stuck, stuck)
	}
	if p.code != 0 && stuck == 0 {
		complain("ended with %s", p.end)
	}
	return complaints
}
