package monitoring

import "context"

// Multi feeds several monitors. Each is shielded from the others' panics, as [Shield]
// does it with slog.Default; nil monitors are left out.
//
// The context that one Begin returns goes to the next Begin, so the last one's goes to
// the handler. End is called in the opposite order. Multi() is [Nop].
func Multi(monitors ...Monitor) Monitor {
	var m multi
	for _, one := range monitors {
		switch one := Shield(nil, one).(type) {
		case Nop:
		case multi:
			m = append(m, one...)
		default:
			m = append(m, one)
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

// multi holds shielded monitors, and none that does nothing.
type multi []Monitor

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
