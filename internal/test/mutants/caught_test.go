//go:build mutants

package mutants

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var part = flag.String("part", "1/1", "which mutants, of how many parts of the table")

// Most of the time goes by in tests that wait in vain for what a mutant does not do, so several run
// side by side: make mutants says how many.
func TestEveryMutantIsCaught(t *testing.T) {
	some, err := partOf(mutants, *part)
	if err != nil {
		t.Fatalf("-part: %v", err)
	}
	for _, m := range some {
		for pkg, tests := range m.tests() {
			t.Run(m.name+" "+strings.ReplaceAll(pkg, "/", "-"), func(t *testing.T) {
				t.Parallel()
				binary := compile(t, pkg, m.overlay(t))
				for _, b := range tests {
					t.Run(b.test, func(t *testing.T) { b.mustFail(t, binary) })
				}
			})
		}
	}
}

// overlay writes the edited sources, and what go build -overlay wants to be told of them.
func (m mutant) overlay(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{}
	for file, text := range m.sources(t) {
		edited := filepath.Join(dir, strings.ReplaceAll(file, "/", "-"))
		write(t, edited, []byte(text))
		replace[filepath.Join(top, file)] = edited
	}
	told, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "overlay.json")
	write(t, file, told)
	return file
}

// compile returns the package's test program with the mutant in it. That it does not compile is no
// catch.
func compile(t *testing.T, pkg, overlay string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "test")
	if out, err := run(t, root, "go", "test", "-c", "-ldflags=-s -w", "-overlay", overlay, "-o", binary, "./"+pkg); err != nil {
		t.Fatalf("it does not compile: %v\n%s", err, out)
	}
	return binary
}

// mustFail runs the test with the mutant in it. That there is no such test is no catch.
func (b by) mustFail(t *testing.T, binary string) {
	t.Helper()
	for try := 1; ; try++ {
		out, err := run(t, filepath.Join(root, b.pkg), binary, append([]string{"-test.v", "-test.timeout=5m", "-test.run=" + b.test}, b.args...)...)
		switch {
		case !strings.Contains(out, "=== RUN"):
			t.Errorf("there is no such test:\n%s", out)
		case strings.Contains(out, "fatal error: runtime: out of memory"):
			t.Errorf("it runs out of memory, which proves nothing:\n%s", tail(out))
		case err != nil:
			t.Logf("caught:\n%s", complaints(out))
		case try < tries:
			t.Logf("it survives run %d", try)
			continue
		default:
			t.Errorf("it survives %d runs:\n%s", tries, tail(out))
		}
		return
	}
}

// tries is how often a test may miss what a mutant breaks: that of a race shows when the scheduler
// lets it.
const tries = 3

func run(t *testing.T, dir, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func write(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// complaints are the first lines in which a test says what is wrong.
func complaints(out string) string {
	var said []string
	for line := range strings.Lines(out) {
		if len(said) < 4 && strings.Contains(line, "_test.go:") || strings.HasPrefix(line, "panic:") {
			said = append(said, strings.TrimSpace(line))
		}
	}
	return strings.Join(said, "\n")
}

func tail(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// tests are the tests that must fail, by package, so that each is compiled once.
func (m mutant) tests() map[string][]by {
	of := map[string][]by{}
	for _, b := range m.caught {
		of[b.pkg] = append(of[b.pkg], b)
	}
	return of
}
