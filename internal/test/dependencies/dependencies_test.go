// Package dependencies counts the modules that a user of the framework gets with it.
package dependencies

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	root = "../../.."
	most = 14 // modules in the go.sum of a program; raise it only for a library that every user needs
)

// program imports what every user does. Tests of the imported packages count too: go mod tidy
// keeps checksums of what they import.
const program = `package main

import (
	_ "github.com/bunnicula-go/bunnicula/codec"
	_ "github.com/bunnicula-go/bunnicula/connection"
	_ "github.com/bunnicula-go/bunnicula/consumer"
	_ "github.com/bunnicula-go/bunnicula/publisher"
	_ "github.com/bunnicula-go/bunnicula/use"
)

func main() {}
`

func TestAProgramWithAConsumerHasFewModulesInItsGoSum(t *testing.T) {
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "main.go"), program)
	write(t, filepath.Join(dir, "go.mod"), "module program.test\n\ngo 1.25.0\n\n"+
		"require github.com/bunnicula-go/bunnicula v0.0.0\n\n"+
		"replace github.com/bunnicula-go/bunnicula => "+top+"\n")
	tidy := exec.CommandContext(t.Context(), "go", "mod", "tidy")
	tidy.Dir = dir
	tidy.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
	if out, err := tidy.CombinedOutput(); err != nil {
		t.Fatalf("go mod tidy: %v\n%s", err, out)
	}

	sums, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	modules := map[string]bool{}
	for line := range strings.Lines(string(sums)) {
		name, _, _ := strings.Cut(line, " ")
		modules[name] = true
	}
	names := slices.Sorted(maps.Keys(modules))
	if len(names) > most {
		t.Errorf("%d modules, want at most %d (go mod why -m NAME tells who needs one):\n%s", len(names), most, strings.Join(names, "\n"))
	}
	if modules["github.com/redis/go-redis/v9"] {
		t.Error("go-redis is among them, and only programs that import use/redis need it")
	}
	if modules["github.com/hamba/avro/v2"] {
		t.Error("hamba/avro is among them, and only examples/avro needs it")
	}
	for _, database := range []string{"modernc.org/sqlite", "github.com/jackc/pgx/v5", "github.com/pressly/goose/v3"} {
		if modules[database] {
			t.Errorf("%s is among them, and only programs with an outbox need it", database)
		}
	}
	if !modules["github.com/rabbitmq/amqp091-go"] {
		t.Errorf("the client library is not among them, so this test counts wrongly: %q", names)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
