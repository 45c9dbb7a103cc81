//go:build unix

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/backoff"
)

// redriveConfig makes a worker process redrive parked messages, until SIGTERM.
type redriveConfig struct {
	From, To string
	Window   int // RedriveOptions.Window
}

// redrive is the main function of such a process.
func (w *worker) redrive() int {
	terminated, ignore := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer ignore()
	conn, err := connection.New(connection.Config(w.config.Connection.plainConfig), slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err == nil {
		err = moveBack(terminated, conn, *w.config.Redrive)
		stop, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = conn.Stop(stop) // moved messages are acked, or will be moved again
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "redrive:", err)
		return exitStop
	}
	return 0
}

// moveBack redrives parked messages, again and again.
func moveBack(ctx context.Context, conn *connection.Connection, c redriveConfig) error {
	q, err := errorqueue.Open(ctx, conn, errorqueue.Config{Queue: c.To, ErrorQueue: c.From, Wait: 30 * time.Second}, nil)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		report, err := q.Redrive(ctx, errorqueue.RedriveOptions{All: true, Window: c.Window})
		if err != nil && !errors.Is(err, context.Canceled) {
			return fmt.Errorf("%w: %+v", err, report)
		}
		// Messages of a killed redriver come back meanwhile.
		backoff.Wait(ctx, 100*time.Millisecond)
	}
	return nil
}
