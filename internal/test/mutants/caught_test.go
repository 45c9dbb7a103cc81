//go:build mutants

package mutants

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Most of the time goes by in tests that wait in vain for what a mutant does not do, so several run
// side by side: make mutants says how many.
func TestEveryMutantIsCaught(t *testing.T) {
	for _, m := range mutants {
		for _, b := range m.caught {
			t.Run(m.name+" "+strings.ReplaceAll(b.pkg, "/", "-")+" "+b.test, func(t *testing.T) {
				t.Parallel()
				b.mustFail(t, m.overlay(t))
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

// mustFail runs the test with the mutant in it. That it does not compile, or finds no such test, is
// no catch.
func (b by) mustFail(t *testing.T, overlay string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "test")
	if out, err := run(t, root, "go", "test", "-c", "-ldflags=-s -w", "-overlay", overlay, "-o", binary, "./"+b.pkg); err != nil {
		t.Fatalf("it does not compile: %v\n%s", err, out)
	}
	out, err := run(t, filepath.Join(root, b.pkg), binary, append([]string{"-test.v", "-test.timeout=5m", "-test.run=" + b.test}, b.args...)...)
	switch {
	case !strings.Contains(out, "=== RUN"):
		t.Errorf("there is no such test:\n%s", out)
	case strings.Contains(out, "fatal error: runtime: out of memory"):
		t.Errorf("it runs out of memory, which proves nothing:\n%s", tail(out))
	case err == nil:
		t.Errorf("it survives:\n%s", tail(out))
	default:
		t.Logf("caught:\n%s", complaints(out))
	}
}

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
