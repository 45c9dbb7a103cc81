//go:build unix

package faults_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// clock is the clock of a worker's host. The zero clock is right.
//
// A test must not change the machine's clock. So a worker with a wrong clock is another build of
// this test, with a package time whose Now is wrong. That changes the time of day only. Timers and
// timeouts work as in a process whose host's clock is set.
type clock struct {
	Binary string        // made by wrongClocks
	Ahead  time.Duration // whole seconds, negative if the clock is behind
	// The clock is right until the process has run for this long. Then it is set.
	After time.Duration
}

// clockVariable is the environment variable that the changed package time reads.
const clockVariable = "BUNNICULA_FAULTS_CLOCK"

func (c clock) variable() string {
	return fmt.Sprintf("%s=%d %d", clockVariable, c.Ahead/time.Second, c.After.Nanoseconds())
}

// withClocks gives these clocks to the workers, in turn.
func withClocks(clocks ...clock) func(s *slot) {
	return func(s *slot) {
		c := clocks[s.number%len(clocks)]
		c.Binary = wrongClocks(s.lane.t, s.lane.stage.dir)
		s.config.Clock = c
	}
}

// wrongClocks builds this test with the changed package time, once for each directory. The first
// build takes a minute, because all packages are rebuilt; later builds use the cache.
func wrongClocks(t testing.TB, dir string) string {
	t.Helper()
	binary := filepath.Join(dir, "wrong-clocks.test")
	if _, err := os.Stat(binary); err == nil {
		return binary
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatalf("where is Go? %v", err)
	}
	source := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	original, err := os.ReadFile(filepath.Join(source, "time.go"))
	if err != nil {
		t.Fatal(err)
	}
	const now = "\nfunc Now() Time {"
	if n := strings.Count(string(original), now); n != 1 {
		t.Fatalf("this Go's time.go has %d functions Now", n)
	}
	files := map[string]string{
		"time.go": strings.Replace(string(original), now, "\nfunc Now() Time { return set(right()) }\n\nfunc right() Time {", 1),
		"set.go":  wrongClock,
	}
	replace := map[string]string{}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		replace[filepath.Join(source, name)] = path
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "test", "-c", "-overlay", path, "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build with another package time: %v\n%s", err, out)
	}
	return binary
}

// wrongClock is a file of the changed package time.
const wrongClock = `package time

import "syscall"

// setting is by how many seconds the clock is set, and after how many nanoseconds of the process.
var setting = func() (numbers [2]int64) {
	text, _ := syscall.Getenv("` + clockVariable + `")
	sign, k := int64(1), 0
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case ' ':
			k = 1
		case '-':
			sign = -1
		default:
			numbers[k] = 10*numbers[k] + int64(c-'0')
		}
	}
	numbers[0] *= sign
	return numbers
}()

func set(t Time) Time {
	if setting[0] != 0 && runtimeNano()-startNano >= setting[1] {
		t.addSec(setting[0])
	}
	return t
}
`

// clocksAreWrong checks the workers' clocks by the last lines of their logs.
func (s *stage) clocksAreWrong() {
	s.t.Helper()
	for _, l := range s.lanes {
		for _, slot := range l.slots {
			lines := slot.process().logs("connected", time.Time{})
			if len(lines) == 0 {
				s.t.Errorf("%s: %s has not logged that it is connected", l.kind, slot.process().name)
				continue
			}
			ahead := time.Until(lines[len(lines)-1].at)
			if want := slot.config.Clock.Ahead; (ahead - want).Abs() > time.Minute {
				s.t.Errorf("%s: the clock of %s is ahead by %s, want %s", l.kind, slot.process().name, ahead, want)
			}
		}
	}
}

// realTime returns the machine's time, even in a worker with a wrong clock.
func realTime() time.Time {
	var now syscall.Timeval
	if err := syscall.Gettimeofday(&now); err != nil {
		panic(err) // its only other error is a bad pointer
	}
	return time.Unix(now.Unix())
}
