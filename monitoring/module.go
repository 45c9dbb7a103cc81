package monitoring

import (
	"fmt"
	"reflect"

	"go.uber.org/fx"
)

// Provide adds a Monitor to an fx app. It takes a constructor: a function whose parameters fx
// provides, and which returns a Monitor, or a Monitor and an error. The result's type is Monitor or
// any type that implements it.
//
// Anything else is refused when the app is built. Provide may be used many times; fx gives the
// monitors in no particular order.
//
// An app that provides no monitor gets a [Log]. To have none at all, provide [Nop].
func Provide(constructor any) fx.Option {
	if err := checkConstructor(reflect.TypeOf(constructor)); err != nil {
		return fx.Error(err)
	}
	return fx.Provide(fx.Annotate(constructor,
		fx.As(new(Monitor)),
		fx.ResultTags(`group:"bunnicula.monitors"`),
	))
}

var (
	typeMonitor = reflect.TypeFor[Monitor]()
	typeError   = reflect.TypeFor[error]()
)

func checkConstructor(t reflect.Type) error {
	switch {
	case t == nil:
		return fmt.Errorf("monitoring: Provide(nil): want a function that returns a monitoring.Monitor, or one and an error")
	case t.Kind() != reflect.Func && t.Implements(typeMonitor):
		return fmt.Errorf("monitoring: Provide(%v): that is a Monitor; want a function that returns it", t)
	case t.Kind() != reflect.Func:
		return fmt.Errorf("monitoring: Provide(%v): want a function that returns a monitoring.Monitor, or one and an error", t)
	case t.NumOut() == 0, t.NumOut() > 2:
		return fmt.Errorf("monitoring: Provide(%v): returns %d values; want a monitoring.Monitor, or one and an error", t, t.NumOut())
	case !t.Out(0).Implements(typeMonitor):
		return fmt.Errorf("monitoring: Provide(%v): %v does not implement monitoring.Monitor%s", t, t.Out(0), pointerHint(t.Out(0)))
	case t.NumOut() == 2 && t.Out(1) != typeError:
		return fmt.Errorf("monitoring: Provide(%v): the second result is %v; want error", t, t.Out(1))
	}
	return nil
}

// pointerHint helps with the commonest mistake: the methods are on the pointer and the constructor
// returns a value.
func pointerHint(t reflect.Type) string {
	if reflect.PointerTo(t).Implements(typeMonitor) {
		return fmt.Sprintf(" (*%v does)", t)
	}
	return ""
}
