package monitoring

import (
	"context"
	"log/slog"
)

// Multi feeds several monitors. It catches the panics of each and logs them, so that one monitor's
// panic reaches neither the others nor the consumer. The log is the consumer's, or slog.Default
// where no consumer calls the Multi. A nil context from a Begin is replaced by the one that went
// in. Nil monitors are left out.
//
// The context that one Begin returns goes to the next Begin, so the last one's goes to the handler.
// End is called in the opposite order. Multi() is [Nop].
func Multi(monitors ...Monitor) Monitor {
	var m multi
	for _, one := range monitors {
		switch one := one.(type) {
		case nil, Nop:
		case multi:
			m = append(m, one...)
		case shield:
			m = append(m, one)
		default:
			m = append(m, shield{monitor: one})
		}
	}
	switch len(m) {
	case 0:
		return Nop{}
	case 1:
		return m[0]
	default:
		return m
	}
}

// multi holds at least two.
type multi []shield

// LogTo gives a logger to all that have none.
func (m multi) LogTo(logger *slog.Logger) Monitor {
	out := make(multi, len(m))
	for i, one := range m {
		out[i] = one.logTo(logger)
	}
	return out
}

func (m multi) Begin(ctx context.Context, d Delivery) context.Context {
	for _, one := range m {
		ctx = one.Begin(ctx, d)
	}
	return ctx
}

func (m multi) End(ctx context.Context, d Delivery, o Outcome) {
	for i := len(m) - 1; i >= 0; i-- {
		m[i].End(ctx, d, o)
	}
}

// Nop is a Monitor that does nothing. Give it where silence is wanted.
type Nop struct{}

var _ Monitor = Nop{}

// Begin returns ctx as it is.
func (Nop) Begin(ctx context.Context, _ Delivery) context.Context { return ctx }

// End does nothing.
func (Nop) End(context.Context, Delivery, Outcome) {}
