package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"sort"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/monitors"
	"github.com/bunnicula-go/bunnicula/internal/startup"
)

// Module runs the consumers of [Provide] on the app's Connection, and provides their *Group.
// Consumers start after everything that they use, and stop before it. The app's own fx.Invokes run
// after this module's, so their start hooks find the queues declared. If the app provides an
// *slog.Logger, the consumers log to it. A warning says that there are no consumers.
//
// fx tells a module its StopTimeout only when the app stops, as the deadline of a context. So it is
// then that a warning says that handlers have less time than their Spec.Timeout. With an
// fx.StopTimeout of one and a half times the longest Spec.Timeout plus 2 s they have it. A handler
// that outlives the stop is logged before fx gives up on the stop, whatever fx's logger.
var Module = fx.Module("bunnicula.consumer",
	fx.Provide(provide, fx.Annotate(metricsOf, fx.ResultTags(`group:"bunnicula.metrics"`))),
	fx.Invoke(func(*Group) {}),
)

// metricsOf provides the consumers' Metrics to monitoring/prometheus. The value group spares each
// of the two packages an import of the other.
func metricsOf(g *Group) func(tell func(name string, value float64, labels ...string)) {
	return g.Metrics
}

// Provide adds consumers to an app with [Module]. Each constructor takes what it needs from fx and
// returns a Spec, or (Spec, error). Provide refuses any other argument with an error that names it.
func Provide(constructors ...any) fx.Option {
	options := make([]fx.Option, 0, len(constructors))
	for i, f := range constructors {
		if err := checkConstructor(f); err != nil {
			return fx.Error(fmt.Errorf("consumer.Provide: argument %d: %w", i+1, err))
		}
		options = append(options, fx.Provide(fx.Annotated{Group: "bunnicula.specs", Target: f}))
	}
	return fx.Options(append(options, fx.Invoke(checkModule))...)
}

// checkModule refuses an app that provides consumers and has no Module to run them.
func checkModule(p struct {
	fx.In

	Group *Group `optional:"true"`
}) error {
	if p.Group == nil {
		return errors.New("consumer.Provide: nothing runs the consumers, add consumer.Module to the app")
	}
	return nil
}

func checkConstructor(f any) error {
	spec, fail := reflect.TypeFor[Spec](), reflect.TypeFor[error]()
	t := reflect.TypeOf(f)
	switch {
	case t == spec:
		return fmt.Errorf("it is a Spec (%q), want a function that returns it", f.(Spec).Queue)
	case t == nil || t.Kind() != reflect.Func:
		return fmt.Errorf("it is a %v, want a function that returns a consumer.Spec", t)
	case reflect.ValueOf(f).IsNil():
		return fmt.Errorf("the function is nil")
	case t.NumOut() == 1 && t.Out(0) == spec, t.NumOut() == 2 && t.Out(0) == spec && t.Out(1) == fail:
		return nil
	}
	return fmt.Errorf("%s is a %v, which does not return a consumer.Spec, or (consumer.Spec, error)", runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name(), t)
}

type params struct {
	fx.In

	Lifecycle   fx.Lifecycle
	Specs       []Spec                       `group:"bunnicula.specs"`
	Connection  *connection.Connection       `optional:"true"`
	Connections []connection.NamedConnection `group:"bunnicula.connections"`
	Monitors    monitors.Group
	Logger      *slog.Logger `optional:"true"`
}

func provide(p params) (*Group, error) {
	connections := map[string]*connection.Connection{"": p.Connection}
	names := make([]string, 0, len(p.Connections))
	for _, n := range p.Connections {
		connections[n.Name] = n.Connection
		names = append(names, n.Name)
	}
	monitor := p.Monitors.Monitor()
	// fx gives the Specs in no order.
	sort.Slice(p.Specs, func(i, j int) bool { return p.Specs[i].Queue < p.Specs[j].Queue })
	consumers := make([]*Consumer, 0, len(p.Specs))
	for _, spec := range p.Specs {
		conn := connections[spec.Connection]
		switch {
		case conn == nil && spec.Connection != "":
			sort.Strings(names)
			if len(names) == 0 {
				return nil, fmt.Errorf("consumer %q: Connection is %q, and the app has no connection.Named", spec.Queue, spec.Connection)
			}
			return nil, fmt.Errorf("consumer %q: Connection is %q, and connection.Named was given %q", spec.Queue, spec.Connection, names)
		case conn == nil:
			return nil, fmt.Errorf("consumer %q: there is no connection, add connection.Module and a connection.Config to the app", spec.Queue)
		}
		c, err := New(conn, spec, monitor, p.Logger)
		if err != nil {
			return nil, err
		}
		consumers = append(consumers, c)
	}
	g, err := NewGroup(consumers...)
	if err != nil {
		return nil, err
	}
	p.Lifecycle.Append(fx.Hook{
		OnStart: func(ctx context.Context) error {
			ctx, cancel := startup.Earlier(ctx)
			defer cancel()
			if len(g.consumers) == 0 {
				logger(p.Logger).Warn("no consumer runs; add one to the app with consumer.Provide")
			}
			return g.Start(ctx)
		},
		OnStop: func(ctx context.Context) error {
			// fx runs no further hooks once ctx has ended. So the consumers leave some time to the
			// publisher and the connections. If a hook is skipped all the same, the connections are
			// aborted when ctx ends.
			for _, conn := range connections {
				if conn != nil {
					context.AfterFunc(ctx, conn.Abort)
				}
			}
			ctx, cancel := shorten(ctx)
			defer cancel()
			return g.Stop(ctx)
		},
	})
	return g, nil
}

// logger is the app's, or the default one.
func logger(l *slog.Logger) *slog.Logger {
	if l == nil {
		return slog.Default()
	}
	return l
}

// shorten ends earlier than ctx: by 2 s or a fifth of the time that is left, whichever is larger,
// and by half of that time at most. What stops after the consumers has that time.
func shorten(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	left := time.Until(deadline)
	return context.WithTimeout(ctx, left-min(max(2*time.Second, left/5), left/2))
}
