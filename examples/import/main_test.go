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
	"time"

	"go.uber.org/goleak"

	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

// asProgram makes the test binary behave as the program, so that a test can kill it.
const asProgram = "IMPORT_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	goleak.VerifyTestMain(m)
}

// importing is one import of a test, with queues and a file of its own.
type importing struct {
	Options
	args []string
}

func newImporting(t *testing.T, args ...string) importing {
	t.Helper()
	args = append([]string{
		"-url", amqptest.URL(t), "-queue-prefix", amqptest.Queue(t, "import"), "-state", filepath.Join(t.TempDir(), "state.jsonl"),
		"-backoff", "20ms,50ms", "-timeout", "250ms", "-rate", "2000",
	}, args...)
	o, err := parse(args, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	amqptest.Cleanup(t, o.Queues()...)
	return importing{o, args}
}

// run runs it in this process, and returns the exit code and what it printed.
func (i importing) run(t *testing.T, ctx context.Context, more ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaint output
	code = run(ctx, slices.Concat(i.args, more), &out, &complaint)
	t.Logf("exit code %d\n%s%s", code, complaint.String(), out.String())
	return code, out.String(), complaint.String()
}

// ledger reads what is in its file now; a part of a line does not count.
func (i importing) ledger(t *testing.T) Books {
	t.Helper()
	text, err := os.ReadFile(i.State)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "copy.jsonl")
	if err := os.WriteFile(copied, text, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := OpenLedger(copied, i.Source())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Books()
}

// wait waits until that many are imported.
func (i importing) wait(t *testing.T, imported int) {
	t.Helper()
	amqptest.Eventually(t, 30*time.Second, func() bool { return len(i.ledger(t).Imported) >= imported }, "%d were not imported", imported)
}

// accounted checks by the file and the error queue, and not by what the program says, that each of
// the conversations is imported or parked.
func (i importing) accounted(t *testing.T) (parked []Parked) {
	t.Helper()
	books := i.ledger(t)
	found := map[string]bool{}
	for id := range books.Imported {
		found[id] = true
	}
	for _, d := range amqptest.Drain(t, i.ConversationQueue()+"-error") {
		found[d.MessageId] = true
		parked = append(parked, parkedOf(d))
	}
	for _, c := range messages()[:i.Conversations] {
		if !found[c.ID] {
			t.Errorf("%s is neither imported nor parked", c.ID)
		}
	}
	if len(found) != i.Conversations || len(books.Published) != i.Conversations {
		t.Errorf("found %d and published %d conversations, want %d", len(found), len(books.Published), i.Conversations)
	}
	return parked
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
