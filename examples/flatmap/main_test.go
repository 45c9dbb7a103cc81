package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/examples/internal/drill/drilltest"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
)

func TestMain(m *testing.M) { drilltest.Main(m, main) }

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
	amqptest.Cleanup(t, m.queues(t)...)
	return m
}

func (m mapping) queues(t *testing.T) []string {
	t.Helper()
	q, err := newQueues(m.Options, connection.Config{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return q.Names()
}

// run runs it in this process, with the workers in others, and returns the exit code and what it
// printed.
func (m mapping) run(t *testing.T, ctx context.Context, more ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaint drilltest.Output
	code = run(ctx, slices.Concat(m.args, more), strings.NewReader(""), &out, &complaint)
	t.Logf("exit code %d\n%s%s", code, complaint.String(), out.String())
	return code, out.String(), complaint.String()
}
