package consumer

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/consumer/internal/decide"
)

// blockedLog is a log that blocks once it is written to, until free is closed.
type blockedLog struct {
	slog.Handler
	written, free chan struct{}
}

func (h blockedLog) Enabled(context.Context, slog.Level) bool { return true }

func (h blockedLog) Handle(context.Context, slog.Record) error {
	close(h.written)
	<-h.free
	return nil
}

// The goroutine that acks confirmed copies ends the blocked ones among them.
func TestALogThatBlocksHoldsUpNoAck(t *testing.T) {
	log := blockedLog{written: make(chan struct{}), free: make(chan struct{})}
	defer close(log.free)
	b := &blockedCopy{settler: &settler{gauges: new(gauges), log: slog.New(log)}, delivery: new(received), copy: new(decide.Copy)}
	go b.because(errors.New("not confirmed"))
	<-log.written
	over := make(chan struct{})
	go func() {
		b.over()
		close(over)
	}()
	select {
	case <-over:
	case <-time.After(10 * time.Second):
		t.Fatal("the copy is confirmed, and waits for the log")
	}
	if n := b.settler.gauges.copies.Load(); n != 0 {
		t.Errorf("%d copies are blocked", n)
	}
}

// Its headers may be shortened while the watchdog reports it.
func TestACopyIsReportedWhileItIsShortened(t *testing.T) {
	b := &blockedCopy{settler: &settler{gauges: new(gauges), log: slog.New(slog.DiscardHandler)}, delivery: new(received), copy: new(decide.Copy)}
	reported := make(chan struct{})
	go func() {
		b.because(errors.New("not confirmed"))
		close(reported)
	}()
	b.copy.Shorten(1000)
	<-reported
}
