package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// asProgram makes the test binary behave as the program: the workers are processes of their own.
const asProgram = "FLATMAP_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	_ = os.Setenv(asProgram, "1") // for the processes, which inherit it
	goleak.VerifyTestMain(m)
}

// mapping is one run of a test, with queues and a database of its own.
type mapping struct {
	Options

	args []string
}

func newMapping(t *testing.T, url string, args ...string) mapping {
	t.Helper()
	args = append([]string{
		"-url", url, "-queue-prefix", amqptest.Queue(t, "flatmap"), "-db", filepath.Join(t.TempDir(), "rows.db"),
	}, args...)
	o, err := parse(args, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	return mapping{o, args}
}

// onSharedBroker has its queues deleted in the end.
func (m mapping) onSharedBroker(t *testing.T) mapping {
	t.Helper()
	amqptest.Cleanup(t, append(m.names(t), m.Stream())...)
	return m
}

func (m mapping) names(t *testing.T) []string {
	t.Helper()
	all, err := names(m.Options)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// run runs it in this process, with the workers in others, and returns the exit code and what it
// printed.
func (m mapping) run(t *testing.T, ctx context.Context, more ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaint output
	code = run(ctx, slices.Concat(m.args, more), strings.NewReader(""), &out, &complaint)
	t.Logf("exit code %d\n%s%s", code, complaint.String(), out.String())
	return code, out.String(), complaint.String()
}

// output can be read while it is written.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

func mustContain(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("it does not say %q:\n%s", part, text)
		}
	}
}
