//go:build unix

package amqptest_test

import (
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func worker(t *testing.T, work string, options ...amqptest.ProcessOption) *amqptest.Process {
	t.Helper()
	return amqptest.StartProcess(t, []string{"AMQPTEST_WORK=" + work}, options...)
}

func TestProcessTellsItsExitCodeAndWhatItWrote(t *testing.T) {
	p := worker(t, "exits")
	if code := p.Wait(30 * time.Second); code != 3 {
		t.Errorf("exit code %d, want 3", code)
	}
	got := p.Lines()
	slices.Sort(got)
	if want := []string{"on stderr", "on stdout", "unfinished"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	p.Terminate() // too late, but harmless
	p.Kill()
}

func TestProcessCanBeAskedToStop(t *testing.T) {
	p := worker(t, "stops")
	p.Await("ready", 30*time.Second)
	p.Terminate()
	if code := p.Wait(30 * time.Second); code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
	if line := p.Await("stop", time.Second); line != "stopped" {
		t.Errorf("got %q", line)
	}
}

func TestKilledProcessSaysNothingMore(t *testing.T) {
	p := worker(t, "stops")
	p.Await("ready", 30*time.Second)
	p.Kill()
	if code := p.Wait(0); code != 128+int(syscall.SIGKILL) {
		t.Errorf("exit code %d", code)
	}
	if got := p.Output(); got != "ready\n" {
		t.Errorf("got %q", got)
	}
}

func TestProcessThatIsStillThereIsKilledAtCleanup(t *testing.T) {
	var p *amqptest.Process
	t.Run("a test", func(t *testing.T) {
		p = worker(t, "stops")
		p.Await("ready", 30*time.Second)
	})
	select {
	case <-p.Ended():
	default:
		t.Fatal("it runs")
	}
	if err := syscall.Kill(p.Pid(), 0); err != syscall.ESRCH {
		t.Errorf("got %v, want no such process", err)
	}
}

func TestProcessCanBeAnotherProgram(t *testing.T) {
	p := amqptest.StartProcess(t, nil, amqptest.Program("true"))
	if code := p.Wait(30 * time.Second); code != 0 || p.Output() != "" {
		t.Errorf("exit code %d; it said %q", code, p.Output())
	}
}

func TestProcessDiesOfTooMuchMemory(t *testing.T) {
	p := worker(t, "grows", amqptest.MemoryLimit(256))
	code := p.Wait(60 * time.Second)
	if code == 0 || !slices.Contains(p.Lines(), "16 MB") || slices.Contains(p.Lines(), "512 MB") {
		t.Errorf("exit code %d; it said %q", code, p.Lines())
	}
	if out := p.Output(); !strings.Contains(out, "out of memory") && !strings.Contains(out, "failed to allocate") {
		t.Errorf("it said %q", out)
	}
}
