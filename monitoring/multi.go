package monitoring

import "context"

// Multi calls several monitors. It catches and logs the panics of each, so that a panic of one
// reaches neither the others nor the consumer. It writes to the consumer's log, or to slog.Default
// if no consumer calls the Multi. If a Begin returns a nil context, Multi continues with the one
// before. Nil monitors are left out.
//
// The context that one Begin returns goes to the next Begin, and that of the last one goes to the
// handler. End is called in the opposite order. Multi() is [Nop].
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
			m = append(m, shield{one})
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

// multi has at least two monitors.
type multi []shield

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

// Nop is a Monitor that does nothing. Provide it for an application that should not log deliveries.
type Nop struct{}

var _ Monitor = Nop{}

// Begin returns ctx as it is.
func (Nop) Begin(ctx context.Context, _ Delivery) context.Context { return ctx }

// End does nothing.
func (Nop) End(context.Context, Delivery, Outcome) {}
