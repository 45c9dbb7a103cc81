package operation

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// fake is an error queue whose calls do what the test says. Those that are nil are done at once.
type fake struct {
	redrive func(context.Context, errorqueue.RedriveOptions) (errorqueue.RedriveReport, error)
	discard func(context.Context, errorqueue.DiscardOptions) (errorqueue.DiscardReport, error)
	export  func(context.Context, io.Writer, errorqueue.ExportOptions) (int, error)
	read    int // messages that Import finds in a file

	mu     sync.Mutex
	opened int
	closed int
}

func (f *fake) Redrive(ctx context.Context, o errorqueue.RedriveOptions) (errorqueue.RedriveReport, error) {
	if f.redrive == nil {
		return errorqueue.RedriveReport{ID: o.ID}, nil
	}
	return f.redrive(ctx, o)
}

func (f *fake) Discard(ctx context.Context, o errorqueue.DiscardOptions) (errorqueue.DiscardReport, error) {
	if f.discard == nil {
		return errorqueue.DiscardReport{}, nil
	}
	return f.discard(ctx, o)
}

func (f *fake) Export(ctx context.Context, w io.Writer, o errorqueue.ExportOptions) (int, error) {
	return f.export(ctx, w, o)
}

func (f *fake) Import(_ context.Context, r io.Reader, o errorqueue.ImportOptions) (errorqueue.ImportReport, error) {
	if !o.DryRun {
		return errorqueue.ImportReport{}, errors.New("it would publish")
	}
	_, err := io.Copy(io.Discard, r)
	return errorqueue.ImportReport{Messages: f.read}, err
}

func (f *fake) Close(context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed++
}

func (f *fake) open(context.Context, string) (Queue, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opened++
	return f, nil
}

// opens returns how often the queue was opened and closed.
func (f *fake) opens() (opened, closed int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.opened, f.closed
}

func configOf(f *fake, dir string) Config {
	return Config{Dir: dir, Queue: f.open, Log: slog.New(slog.DiscardHandler)}
}

// runner opens a Runner, which is closed at the end of the test.
func runner(t *testing.T, cfg Config) *Runner {
	t.Helper()
	r, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(context.Background()) })
	return r
}

func start(t *testing.T, r *Runner, i Intent) {
	t.Helper()
	if err := r.Start(i); err != nil {
		t.Fatal(err)
	}
}

func state(t *testing.T, r *Runner, id string) State {
	t.Helper()
	s, ok := r.State(id)
	if !ok {
		t.Fatalf("%s is not known", id)
	}
	return s
}

// of returns the Intent of a redrive of all.
func of(id, queue string) Intent {
	return Intent{ID: id, Kind: Redrive, Queue: queue, All: true, Count: 100, Who: "ada", From: "127.0.0.1"}
}

// until returns when ctx has ended, and why.
func until(ctx context.Context) error {
	<-ctx.Done()
	return fmt.Errorf("redrive: %w", context.Cause(ctx))
}

// marksOf returns marks of n messages.
func marksOf(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%032x", i+1)
	}
	return all
}

// simulated runs a test in simulated time.
func simulated(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, test)
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

const second = time.Second
