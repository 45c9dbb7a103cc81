// Package drilltest has what tests of the big examples share.
package drilltest

import (
	"bytes"
	"os"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

// asProgram makes the test binary behave as the program: its processes are of their own.
const asProgram = "EXAMPLE_AS_PROGRAM"

// Main is TestMain of an example whose main is program.
func Main(m *testing.M, program func()) {
	if os.Getenv(asProgram) != "" {
		program()
	}
	_ = os.Setenv(asProgram, "1") // for the processes, which inherit it
	goleak.VerifyTestMain(m)
}

// Output can be read while it is written.
type Output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write takes part of the output.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String is what was written so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// MustContain checks that a text says each of the parts.
func MustContain(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("it does not say %q:\n%s", part, text)
		}
	}
}
