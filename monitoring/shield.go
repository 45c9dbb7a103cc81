package monitoring

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/bunnicula-go/bunnicula/internal/applog"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// shield wraps a Monitor so that its panics are caught and logged with their stack. A nil context
// from its Begin is replaced by the one that went in. Nothing can shield from runtime.Goexit: it
// still ends the calling goroutine.
type shield struct{ monitor Monitor }

func (s shield) Begin(ctx context.Context, d Delivery) (out context.Context) {
	defer func() {
		if out == nil { // Begin returned nil, or panicked
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

// caught must be deferred directly: recover sees a panic only in the deferred function itself.
func (s shield) caught(ctx context.Context, method string, d Delivery) {
	p := recover()
	if p == nil {
		return
	}
	applog.First(applog.Of(ctx)).LogAttrs(ctx, slog.LevelError, "monitor panicked",
		slog.String("monitor", fmt.Sprintf("%T", s.monitor)),
		slog.String("method", method),
		slog.String("consumer", d.Consumer),
		slog.String("message_id", foreign.Line(d.MessageID, maxLogged)),
		slog.String("panic", foreign.Line(foreign.Panic(p), maxLogged)),
		slog.String("stack", string(debug.Stack())),
	)
}
