package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

const (
	decodeFor  = time.Second
	decodeMost = 1 << 20 // bytes of a text that are shown
)

var (
	errSlow = errors.New("Config.Decode has not answered within 1s")
	errBusy = errors.New("Config.Decode still works on another message; load the page again")
)

// decoder calls Config.Decode, one call at a time.
type decoder struct {
	// Immutable.
	decode func(*errorqueue.Message) (string, error) // nil without one
	log    *slog.Logger

	turn  chan struct{}  // holds a token while no call runs
	calls sync.WaitGroup // the goroutines of calls, also of slow ones that nobody waits for
}

func newDecoder(decode func(*errorqueue.Message) (string, error), log *slog.Logger) *decoder {
	d := &decoder{decode: decode, log: log, turn: make(chan struct{}, 1)}
	d.turn <- struct{}{}
	return d
}

// decoded is what became of a call.
type decoded struct {
	text string
	err  error
}

// text returns the text of a body. It waits a second at most, for its turn and for the call.
func (d *decoder) text(m *errorqueue.Message) (string, error) {
	timer := time.NewTimer(decodeFor)
	defer timer.Stop()
	select {
	case <-d.turn:
	case <-timer.C:
		return "", errBusy
	}
	over := make(chan decoded, 1)
	d.calls.Go(func() { over <- d.call(m) })
	select {
	case r := <-over:
		return r.text, r.err
	case <-timer.C:
		return "", errSlow
	}
}

func (d *decoder) call(m *errorqueue.Message) (r decoded) {
	defer func() {
		if p := recover(); p != nil {
			d.log.Error("Decode panicked", "panic", foreign.Panic(p), "stack", string(debug.Stack()))
			r = decoded{err: fmt.Errorf("Config.Decode panicked: %s", foreign.Panic(p))}
		}
		d.turn <- struct{}{}
	}()
	text, err := d.decode(m)
	if len(text) > decodeMost {
		text = text[:decodeMost]
	}
	return decoded{text, err}
}

// close waits for calls that still run, until ctx ends.
func (d *decoder) close(ctx context.Context) {
	over := make(chan struct{})
	go func() {
		d.calls.Wait()
		close(over)
	}()
	select {
	case <-over:
	case <-ctx.Done():
	}
}
