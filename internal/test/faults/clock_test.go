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

// clock is that of a worker's host. The zero clock is right.
//
// Nobody may touch the machine's clock. So a worker with another one is this test built anew with a package time
// whose Now is wrong: all that its process knows of the time of day is, and timers and timeouts go on as they do in a process
// whose host's clock is set.
type clock struct {
	Binary string        // made by withClocks
	Ahead  time.Duration // whole seconds, negative if it is behind
	After  time.Duration // it is right until its process has been up for so long, and is then set
}

// clockVariable tells the package time.
const clockVariable = "BUNNICULA_FAULTS_CLOCK"

func (c clock) variable() string {
	return fmt.Sprintf("%s=%d %d", clockVariable, c.Ahead/time.Second, c.After.Nanoseconds())
}

// withClocks gives the workers these clocks, in turn.
func withClocks(clocks ...clock) func(s *slot) {
	return func(s *slot) {
		c := clocks[s.number%len(clocks)]
		c.Binary = wrongClocks(s.lane.t, s.lane.stage.dir)
		s.config.Clock = c
	}
}

// wrongClocks builds this test with the other package time, once for a directory. The first time takes a minute, because
// all is built anew; later the build cache has it.
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

// wrongClock is a file of that package time.
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

// clocksAreWrong checks, by what the workers have logged last, that their clocks are as they should be.
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

// realTime is the machine's time, also for a worker with a clock of its own.
func realTime() time.Time {
	var now syscall.Timeval
	if err := syscall.Gettimeofday(&now); err != nil {
		panic(err) // it has no other error than a bad pointer
	}
	return time.Unix(now.Unix())
}
