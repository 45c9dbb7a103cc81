package errorqueue

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/test/amqptest"
	"github.com/bunnicula-go/bunnicula/internal/test/connecttest"
	"github.com/bunnicula-go/bunnicula/topology"
)

func TestAPanicOfTheProgressEndsNoCall(t *testing.T) {
	queue := declare(t, topology.Quorum)
	const n = 20
	park(t, queue, n)
	var lines bytes.Buffer
	q, err := Open(t.Context(), connecttest.New(t, connection.Config{}), Config{Queue: queue}, slog.New(slog.NewTextHandler(&lines, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close(t.Context())
	called := 0
	boom := func(Progress) { called++; panic("boom") }
	listed := 0
	for _, err := range q.List(t.Context(), ListOptions{Progress: boom}) {
		if err != nil {
			t.Fatal(err)
		}
		listed++
	}
	if listed != n || called != 1 {
		t.Errorf("%d messages are listed, want %d; the callback was called %d times", listed, n, called)
	}
	if report, err := q.Redrive(t.Context(), RedriveOptions{All: true, Progress: boom}); err != nil || report.Moved != n {
		t.Errorf("redriven %d, want %d, %v", report.Moved, n, err)
	}
	if got := amqptest.Depth(t, queue); got != n {
		t.Errorf("%d messages are back, want %d", got, n)
	}
	if got := strings.Count(lines.String(), "Progress panicked"); got != 2 {
		t.Errorf("%d panics are logged, want 2: %s", got, lines.String())
	}
}

// phases keeps the phases that a call has reported, each once until another one comes.
type phases struct{ seen []Phase }

func (p *phases) tell(now Progress) {
	if n := len(p.seen); n == 0 || p.seen[n-1] != now.Phase {
		p.seen = append(p.seen, now.Phase)
	}
}

func TestACallSaysWhatItDoes(t *testing.T) {
	t.Parallel()
	queue := declare(t, topology.Quorum)
	q := open(t, Config{Queue: queue})
	read, move := []Phase{PhaseWaiting, PhaseReading, PhaseGivingBack}, []Phase{PhaseWaiting, PhaseMoving, PhaseGivingBack}
	end := []Phase{""}
	for _, test := range []struct {
		name string
		call func(tell func(Progress)) error
		want []Phase
	}{
		{"a list", func(tell func(Progress)) error {
			list(t, q, ListOptions{Progress: tell})
			return nil
		}, slices.Concat(read, end)},
		{"a dry run", func(tell func(Progress)) error {
			_, err := q.Redrive(t.Context(), RedriveOptions{All: true, DryRun: true, Progress: tell})
			return err
		}, slices.Concat(read, end)},
		{"a redrive of the few that were read", func(tell func(Progress)) error {
			_, err := q.Redrive(t.Context(), RedriveOptions{All: true, Limit: 2, Progress: tell})
			return err
		}, []Phase{PhaseWaiting, PhaseReading, PhaseMoving, PhaseGivingBack, ""}},
		{"batches", func(tell func(Progress)) error {
			_, err := q.Redrive(t.Context(), RedriveOptions{All: true, Batches: []int{1, 100}, Watch: 50 * time.Millisecond, Progress: tell})
			return err
		}, slices.Concat(read, move, []Phase{PhaseWatching}, move, end)},
		{"a discard", func(tell func(Progress)) error {
			_, err := q.Discard(t.Context(), DiscardOptions{All: true, Delete: true, Progress: tell})
			return err
		}, slices.Concat(move, end)},
	} {
		if test.name != "a discard" {
			park(t, queue, 4)
		}
		var got phases
		if err := test.call(got.tell); err != nil || !slices.Equal(got.seen, test.want) {
			t.Errorf("%s: %v, %q, want %q", test.name, err, got.seen, test.want)
		}
	}
}

// Somebody who waits for a reader sees that before the reader has ended.
func TestAWaitForAnotherReaderIsTold(t *testing.T) {
	t.Parallel()
	queue := declare(t, topology.Quorum)
	park(t, queue, 2)
	first, second := open(t, Config{Queue: queue}), open(t, Config{Queue: queue, Wait: 20 * time.Second})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	waits, done := make(chan struct{}), make(chan error, 1)
	for _, err := range first.List(ctx, ListOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if waits == nil {
			continue
		}
		go func() {
			told := false
			var failed error
			for _, err := range second.List(ctx, ListOptions{Progress: func(p Progress) {
				if p.Phase == PhaseWaiting && !told {
					told = true
					close(waits)
				}
			}}) {
				failed = err
			}
			done <- failed
		}()
		select {
		case <-waits:
			waits = nil
		case <-ctx.Done():
			t.Fatal("nothing is told")
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}
