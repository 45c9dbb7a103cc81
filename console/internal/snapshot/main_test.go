package snapshot

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/bunnicula-go/bunnicula/errorqueue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is an error queue in memory. Its fields are set under mu.
type fake struct {
	mu       sync.Mutex
	messages []errorqueue.Message
	every    time.Duration // that a message takes
	broken   error         // ends each pass when all is read
	lists    int
	asked    int
	closed   bool
	busy     bool // an operation runs on it
}

func (f *fake) List(ctx context.Context, o errorqueue.ListOptions) iter.Seq2[errorqueue.Message, error] {
	f.mu.Lock()
	f.lists++
	all, every, broken := f.messages, f.every, f.broken
	f.mu.Unlock()
	return func(yield func(errorqueue.Message, error) bool) {
		o.Progress(errorqueue.Progress{Phase: errorqueue.PhaseReading, Of: len(all)})
		for i, m := range all {
			if every > 0 {
				select {
				case <-time.After(every):
				case <-ctx.Done():
					yield(errorqueue.Message{}, ctx.Err())
					return
				}
			}
			m.Position = i + 1
			if !yield(m, nil) {
				return
			}
			o.Progress(errorqueue.Progress{Phase: errorqueue.PhaseReading, Of: len(all), Read: i + 1, Matched: i + 1})
		}
		o.Progress(errorqueue.Progress{Of: len(all), Read: len(all), Matched: len(all)})
		if broken != nil {
			yield(errorqueue.Message{}, broken)
		}
	}
}

func (f *fake) Status(context.Context) (errorqueue.Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	return errorqueue.Status{Messages: len(f.messages)}, nil
}

func (f *fake) Close(context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}

func (f *fake) isBusy(string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.busy
}

func (f *fake) set(change func(*fake)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// state returns how often the queue was read and asked, and whether it was closed.
func (f *fake) state() (lists, asked int, closed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lists, f.asked, f.closed
}

func (f *fake) passes() int {
	lists, _, _ := f.state()
	return lists
}

func (f *fake) questions() int {
	_, asked, _ := f.state()
	return asked
}

func (f *fake) over() bool {
	_, _, closed := f.state()
	return closed
}

// storeOf returns a Store that has one queue.
func storeOf(t testing.TB, f *fake, change func(*Config)) *Store {
	t.Helper()
	cfg := Config{
		Open: func(context.Context, string) (Queue, error) { return f, nil },
		Log:  slog.New(slog.DiscardHandler),
	}
	if change != nil {
		change(&cfg)
	}
	s := NewStore(cfg)
	t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

// snapshotOf returns the snapshot of a pass over messages.
func snapshotOf(t testing.TB, messages []errorqueue.Message, change func(*Config)) *Snapshot {
	t.Helper()
	s := storeOf(t, &fake{}, change).newSnapshot("orders-error", func() bool { return false })
	t.Cleanup(s.drop)
	for _, m := range messages {
		s.add(&m)
	}
	s.end(nil)
	return s
}

// markOf returns a mark for an id and a body. It is not that of errorqueue.
func markOf(id, body string) string {
	sum := sha256.Sum256([]byte(id + "|" + body))
	return hex.EncodeToString(sum[:len(mark{})])
}

var epoch = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// failures returns n messages of four groups, one a second.
func failures(n int) []errorqueue.Message {
	all := make([]errorqueue.Message, n)
	for i := range all {
		group := i % 4
		all[i] = errorqueue.Message{
			Position: i + 1, ID: fmt.Sprintf("m%06d", i), Mark: markOf(fmt.Sprintf("m%06d", i), ""), Reason: "timeout", Group: fmt.Sprintf("g%d", group), Error: fmt.Sprintf("failure %d", group),
			Type: "*net.OpError", Consumer: "orders", App: "shop", AppVersion: fmt.Sprintf("1.%d", i%3), Host: "h1", Target: "orders",
			FirstFailedAt: epoch.Add(time.Duration(i) * time.Second), FailedAt: epoch.Add(time.Duration(i+90) * time.Second),
			Body: []byte(fmt.Sprintf(`{"n":%d}`, i)), BodySize: len(fmt.Sprintf(`{"n":%d}`, i)),
		}
	}
	return all
}
