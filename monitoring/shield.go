package monitoring

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
)

// Shield wraps a Monitor so that its panics are caught and logged, with the stack, and
// a nil context from its Begin is replaced by the one that went in. Whoever calls a
// Monitor that somebody else wrote calls it through a Shield.
//
// A nil logger means slog.Default, a nil m means [Nop]. A Monitor that is shielded
// already, as every [Multi] is, comes back as it is. Nothing can shield from
// runtime.Goexit: it still ends the calling goroutine.
func Shield(logger *slog.Logger, m Monitor) Monitor {
	switch m := m.(type) {
	case nil:
		return Nop{}
	case Nop, multi, shield:
		return m
	default:
		return shield{m, logger}
	}
}

type shield struct {
	monitor Monitor
	logger  *slog.Logger // nil is slog.Default
}

func (s shield) Begin(ctx context.Context, d Delivery) (out context.Context) {
	defer func() {
		if out == nil { // returned, or left so by a panic
			out = ctx
		}
	}()
	defer s.caught(ctx, "Begin", d)
	return s.monitor.Begin(ctx, d)
}

func (s shield) End(ctx context.Context, d Delivery, o Outcome) {
	defer s.caught(ctx, "End", d)
	s.monitor.End(ctx, d, o)
}

// caught is deferred itself, for only then does recover see the panic.
func (s shield) caught(ctx context.Context, method string, d Delivery) {
	p := recover()
	if p == nil {
		return
	}
	orDefault(s.logger).LogAttrs(ctx, slog.LevelError, "monitor panicked",
		slog.String("monitor", fmt.Sprintf("%T", s.monitor)),
		slog.String("method", method),
		slog.String("consumer", d.Consumer),
		slog.String("message_id", d.MessageID),
		slog.Any("panic", p),
		slog.String("stack", string(debug.Stack())),
	)
}

func orDefault(logger *slog.Logger) *slog.Logger {
	if logger == nil {
		return slog.Default()
	}
	return logger
}
