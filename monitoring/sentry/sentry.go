package sentry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"

	sdk "github.com/getsentry/sentry-go"

	"github.com/bunnicula-go/bunnicula/monitoring"
)

// ErrUnsent means that Close dropped events because its context ended first.
var ErrUnsent = errors.New("sentry: events were not sent in time")

// Monitor reports to Sentry. Make one with [New]; the zero Monitor reports nothing. Events wait in
// memory, 1000 at most, for a goroutine that sends one after the other. When failures come faster
// than Sentry takes them, new events are dropped, so that no consumer waits.
type Monitor struct {
	cfg    Config      // without the DSN
	client *sdk.Client // nil without a DSN
	abort  context.CancelCauseFunc

	closeOnce sync.Once
	closed    atomic.Bool
	closeErr  error
}

var _ monitoring.Monitor = (*Monitor)(nil)

// New checks cfg. It sends nothing, so it does not notice a Sentry that is down or refuses the key.
// Close the Monitor when the last consumer has stopped.
func New(cfg Config) (*Monitor, error) {
	cfg, err := cfg.check()
	if err != nil {
		return nil, err
	}
	if cfg.DSN == "" {
		cfg.Logger.LogAttrs(context.Background(), slog.LevelInfo, "sentry is off", slog.String("why", "sentry.Config has no DSN"))
		return &Monitor{cfg: cfg}, nil
	}
	closing, abort := context.WithCancelCause(context.Background())
	client, err := sdk.NewClient(options(cfg, closing))
	if err != nil {
		abort(nil)
		// The error of sentry-go may quote the DSN.
		return nil, errors.New("sentry: sentry-go refuses the Config")
	}
	cfg.DSN = ""
	return &Monitor{cfg: cfg, client: client, abort: abort}, nil
}

// unset keeps sentry-go from finding a value by itself. It is never sent.
const unset = "unset"

func options(cfg Config, closing context.Context) sdk.ClientOptions {
	return sdk.ClientOptions{
		Dsn:           cfg.DSN,
		Environment:   cfg.Environment,
		Release:       cmp.Or(cfg.Release, unset),
		ServerName:    cmp.Or(cfg.ServerName, unset),
		SampleRate:    cfg.SampleRate,
		HTTPTransport: newAbortable(cfg.Transport, closing),
		// The buffer's scheduler can miss the end of its client (v0.50.0): Close then takes 5 s, and
		// the goroutine stays.
		DisableTelemetryBuffer: true,
		BeforeSend: func(event *sdk.Event, _ *sdk.EventHint) *sdk.Event {
			event.Release, event.ServerName = cfg.Release, cfg.ServerName
			if cfg.BeforeSend != nil {
				return cfg.BeforeSend(event)
			}
			return event
		},
	}
}

// Format hides the client's copy of the DSN. fmt would print it, because it prints what a pointer
// points to when the verb does not fit.
func (m *Monitor) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "sentry.Monitor") }

// Begin returns ctx as it is.
func (m *Monitor) Begin(ctx context.Context, _ monitoring.Delivery) context.Context { return ctx }

// End queues an event if Config.Reports says so. After Close it does nothing.
func (m *Monitor) End(_ context.Context, d monitoring.Delivery, o monitoring.Outcome) {
	if m.client == nil || m.closed.Load() || !m.cfg.Reports(d, o) {
		return
	}
	m.client.CaptureEvent(newEvent(d, o, m.cfg.SendPayload), nil, nil)
}

// Close sends the events that wait, and stops. If ctx ends first it drops the rest and returns
// [ErrUnsent]. The Monitor is closed in any case. A second Close returns what the first returned.
func (m *Monitor) Close(ctx context.Context) error {
	m.closeOnce.Do(func() {
		m.closed.Store(true)
		if m.client == nil {
			return
		}
		if !m.client.FlushWithContext(ctx) {
			m.closeErr = fmt.Errorf("%w: %w", ErrUnsent, context.Cause(ctx))
		}
		// The client waits for the request in progress, and a server may never answer it. This ends
		// all requests.
		m.abort(errClosed)
		m.client.Close()
	})
	return m.closeErr
}
