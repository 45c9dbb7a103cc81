package operation_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/console/internal/operation"
	"github.com/bunnicula-go/bunnicula/errorqueue"
)

// mortalVar makes the test binary run an operation and kill itself, instead of running tests.
const mortalVar = "BUNNICULA_TEST_OPERATION"

const killedCode = 137 // of a process that was killed

// task is what such a process does.
type task struct {
	URL    string
	Dir    string
	Intent operation.Intent
	Chosen []string // of the Intent, whose JSON has none
	// It kills itself so long after its start or, with Soon, after the first message was moved, or
	// read for a copy.
	After time.Duration
	Soon  bool
}

// mortal is such a process.
func mortal(text string) int {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		fmt.Println(err)
		return 1
	}
	t.Intent.Chosen = t.Chosen
	if !t.Soon {
		go killAfter(t.After)
	}
	conn, err := connection.New(connection.Config{URL: t.URL, Name: "operation"}, quiet)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	r, err := operation.Open(operation.Config{Dir: t.Dir, Queue: opener(conn), Log: quiet})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	changes, stop := r.Watch(t.Intent.ID)
	defer stop()
	if err := r.Start(t.Intent); err != nil {
		fmt.Println(err)
		return 1
	}
	for begun := false; ; {
		select {
		case <-changes:
		case <-time.After(time.Minute):
			fmt.Println("it was not killed")
			return 1
		}
		s, _ := r.State(t.Intent.ID)
		if s.Err != "" {
			fmt.Println(s.Err)
			return 1
		}
		if t.Soon && !begun && (s.Status.Over() || s.Report.Moved > 0 || s.Copying && s.Progress.Read > 0) {
			begun = true
			go killAfter(t.After)
		}
	}
}

// killAfter kills this process, as kill -9 does. A test that did it from outside could be too late
// on a busy machine.
func killAfter(d time.Duration) {
	time.Sleep(d)
	if self, err := os.FindProcess(os.Getpid()); err != nil || self.Kill() != nil {
		fmt.Println("it cannot kill itself")
	}
}

var quiet = slog.New(slog.DiscardHandler)

// opener opens error queues as a console does.
func opener(conn *connection.Connection) func(context.Context, string) (operation.Queue, error) {
	return func(ctx context.Context, name string) (operation.Queue, error) {
		cfg := errorqueue.Named(name)
		cfg.Wait = time.Minute
		q, err := errorqueue.Open(ctx, conn, cfg, quiet)
		if err != nil {
			return nil, err
		}
		return q, nil
	}
}
