package snapshot

import (
	"log/slog"
	"runtime/debug"

	"github.com/bunnicula-go/bunnicula/errorqueue"
	"github.com/bunnicula-go/bunnicula/internal/foreign"
)

// redactor changes messages before anything of them is kept. One goroutine uses it, that of a pass.
type redactor struct {
	with func(*errorqueue.Message)
	log  *slog.Logger

	panicked bool // that was logged
}

// redact changes a message, but for its mark and its position. What a panic has left of it might be
// secret, so nothing is.
func (r *redactor) redact(m *errorqueue.Message) {
	position, mark := m.Position, m.Mark
	defer func() {
		if p := recover(); p != nil {
			*m = errorqueue.Message{Error: "withheld: Redact panicked"}
			r.trouble(p)
		}
		m.Position, m.Mark = position, mark
	}()
	r.with(m)
}

func (r *redactor) trouble(p any) {
	if !r.panicked {
		r.panicked = true
		r.log.Error("Redact panicked", "panic", foreign.Panic(p), "stack", string(debug.Stack()))
	}
}
