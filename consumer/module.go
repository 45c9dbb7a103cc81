package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/internal/applog"
	"github.com/bunnicula-go/bunnicula/internal/monitors"
	"github.com/bunnicula-go/bunnicula/internal/startup"
	"github.com/bunnicula-go/bunnicula/publisher"
	"github.com/bunnicula-go/bunnicula/topology"
)

// Module runs the consumers of [Provide] on the app's Connection, and provides their *Group.
// Consumers start after everything that they use, and stop before it. The app's own fx.Invokes run
// after this module's, so their start hooks find the queues declared. If the app provides an
// *slog.Logger, the consumers log to it. A warning says that there are no consumers. [Group.Add]
// adds one while the app runs.
//
// fx tells a module its StopTimeout only when the app stops, as the deadline of a context. So it is
// then that a warning says that handlers have less time than their Spec.Timeout. With an
// fx.StopTimeout of one and a half times the longest Spec.Timeout plus 2 s they have it. A handler
// that outlives the stop is logged before fx gives up on the stop, whatever fx's logger.
var Module = fx.Module("bunnicula.consumer",
	fx.Provide(provide, fx.Annotate(metricsOf, fx.ResultTags(`group:"bunnicula.metrics"`))),
	fx.Invoke(checkDemands, func(*Group) {}),
	fx.ErrorHook(hinter{}),
)

// hinter logs what to add when fx finds that a value of ours is missing. fx gives its hooks no
// logger of the app.
type hinter struct{}

// HandleError implements fx.ErrorHandler.
func (hinter) HandleError(err error) {
	for _, h := range hints(err) {
		applog.First().Error("the app lacks a value of Bunnicula", "value", h.value, "add", h.add)
	}
}

// metricsOf provides the consumers' Metrics to monitoring/prometheus. The value group spares each
// of the two packages an import of the other.
func metricsOf(g *Group) func(tell func(name string, value float64, labels ...string)) {
	return g.Metrics
}

// Provide adds consumers to an app with [Module]. Each constructor takes what it needs from fx and
// returns a Spec, a []Spec, which may be empty, or one of them and an error. Provide refuses any
// other argument with an error that names it. An app without the module that makes what a
// constructor asks for, a publisher.Publisher for example, gets an error that says what to add.
func Provide(constructors ...any) fx.Option {
	options := make([]fx.Option, 0, len(constructors))
	for i, f := range constructors {
		several, err := checkConstructor(f)
		if err != nil {
			return fx.Error(fmt.Errorf("consumer.Provide: argument %d: %w", i+1, err))
		}
		group := "bunnicula.specs"
		if several {
			group += ",flatten"
		}
		options = append(options, fx.Provide(fx.Annotated{Group: group, Target: f}), demands(f))
	}
	return fx.Options(append(options, fx.Invoke(checkModule))...)
}

// Plans returns what the consumers of an fx app declare, for topologyfile.Write. The options are
// those of the app. Plans makes the app and does not start it, so nothing connects to a broker;
// constructors and fx.Invokes run. If the consumers use several connections, the plans may be of
// several virtual hosts.
func Plans(options ...fx.Option) ([]topology.Plan, error) {
	var g *Group
	if err := fx.New(fx.Options(options...), fx.Populate(&g), fx.NopLogger).Err(); err != nil {
		return nil, err
	}
	return g.Plans(), nil
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

// demands checks what the constructor asks for and a module of ours makes. checkDemands gets the
// results before fx calls the constructor.
func demands(constructor any) fx.Option {
	var options []fx.Option
	for _, d := range demandsOf(constructor) {
		var check any
		switch d.what {
		case reflect.TypeFor[publisher.Publisher]():
			check = func(p publisher.Publisher) unmet { return d.check(p != nil) }
		case reflect.TypeFor[*publisher.Client]():
			check = func(c *publisher.Client) unmet { return d.check(c != nil) }
		case reflect.TypeFor[*connection.Connection]():
			check = func(c *connection.Connection) unmet { return d.check(c != nil) }
		default:
			continue
		}
		tag := `optional:"true"`
		if d.name != "" {
			tag += fmt.Sprintf(" name:%q", d.name)
		}
		options = append(options, fx.Provide(fx.Annotate(check, fx.ParamTags(tag), fx.ResultTags(`group:"bunnicula.demands"`))))
	}
	return fx.Options(options...)
}

// checkDemands refuses an app whose constructors ask for what no module of the app makes.
func checkDemands(p struct {
	fx.In

	All []unmet `group:"bunnicula.demands"`
}) error {
	var errs []error
	for _, u := range p.All {
		errs = append(errs, u.err)
	}
	return errors.Join(errs...)
}

type params struct {
	fx.In

	Lifecycle   fx.Lifecycle
	Specs       []Spec                       `group:"bunnicula.specs"`
	Connection  *connection.Connection       `optional:"true"`
	Connections []connection.NamedConnection `group:"bunnicula.connections"`
	Monitors    monitors.Group
	Overseers   []Overseer   `group:"bunnicula.overseers"`
	Logger      *slog.Logger `optional:"true"`
}

func provide(p params) (*Group, error) {
	connections := map[string]*connection.Connection{"": p.Connection}
	for _, n := range p.Connections {
		connections[n.Name] = n.Connection
	}
	makes := &maker{connections, p.Monitors.Monitor(), p.Logger}
	// fx gives the Specs in no order.
	slices.SortFunc(p.Specs, func(a, b Spec) int { return cmp.Or(cmp.Compare(a.Queue, b.Queue), cmp.Compare(a.Name, b.Name)) })
	consumers := make([]*Consumer, 0, len(p.Specs))
	var errs []error // of all Specs, so that they are mended together
	for _, spec := range p.Specs {
		if err := makes.lacks(spec); err != nil && !(isNoConnection(err) && slices.ContainsFunc(errs, isNoConnection)) { // told once
			errs = append(errs, err)
		}
		c, err := makes.of(spec)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		consumers = append(consumers, c)
	}
	g, err := NewGroup(consumers...)
	if err = errors.Join(append(errs, err)...); err != nil {
		return nil, err
	}
	g.newOne = makes.whole
	for _, o := range p.Overseers {
		g.Oversee(o)
	}
	p.Lifecycle.Append(fx.Hook{
		OnStart: func(ctx context.Context) error {
			ctx, cancel := startup.Earlier(ctx)
			defer cancel()
			if len(g.Consumers()) == 0 {
				applog.First(p.Logger).Warn("no consumer runs; add one to the app with consumer.Provide, or later with Group.Add")
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
