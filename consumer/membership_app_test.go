package consumer_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

func TestWhatIsAddedToALargeGroupLogsItsOwnStartAndRemovalAndStopsInTheLineOfAll(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		p, log := l.process("worker"), newLines()
		logged := func(queue string) *consumer.Consumer {
			c, err := consumer.New(connection.Over(p), consumer.Spec{Queue: queue, Handler: ack}, monitoring.Nop{}, slog.New(log))
			l.must(err)
			return c
		}
		var all []*consumer.Consumer
		for i := range 11 {
			all = append(all, logged(fmt.Sprint("queue", i)))
		}
		g, err := consumer.NewGroup(all...)
		l.must(err)
		l.must(g.Start(context.Background()))
		for _, queue := range []string{"acme", "globex"} {
			l.must(g.AddConsumer(context.Background(), logged(queue)))
		}
		l.must(g.Remove(context.Background(), "acme"))
		l.must(g.Remove(context.Background(), "queue0"))
		l.stopGroup(g)
		told := func(message string) (who []any) {
			for _, one := range log.of(message) {
				if one.message == message && one.level == slog.LevelInfo {
					who = append(who, one.attrs["consumer"])
				}
			}
			return who
		}
		if who := fmt.Sprint(told(started)); who != "[acme globex]" {
			t.Errorf("%s log their own start", who)
		}
		if who := fmt.Sprint(told(stops)); who != "[acme queue0]" {
			t.Errorf("%s log their own stop", who)
		}
		log.want(t, slog.LevelInfo, "consumers started", map[string]any{"consumers": 11})
		log.want(t, slog.LevelInfo, "consumers stop", map[string]any{"consumers": 11})
	})
}

func TestTheRestOfALargeGroupLogsItsOwnStops(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		p, log := l.process("worker"), newLines()
		g, err := consumer.NewGroup()
		l.must(err)
		for i := range 11 {
			c, err := consumer.New(connection.Over(p), consumer.Spec{Queue: fmt.Sprint("queue", i), Handler: ack}, monitoring.Nop{}, slog.New(log))
			l.must(err)
			l.must(g.AddConsumer(context.Background(), c))
		}
		l.must(g.Start(context.Background()))
		for i := range 9 {
			l.must(g.Remove(context.Background(), fmt.Sprint("queue", i)))
		}
		l.stopGroup(g)
		for _, one := range log.of(stops) {
			if one.level != slog.LevelInfo {
				t.Errorf("%v", one)
			}
		}
		if n := len(log.of(stops)); n != 11 || len(log.of("consumers stop")) != 0 {
			t.Errorf("%d lines", n)
		}
	})
}

func TestAnAppAddsConsumersOnItsConnectionsWithItsMonitorAndLogger(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		log, ends := newLines(), make(chan string, 10)
		var g *consumer.Group
		a := fx.New(fx.NopLogger, consumer.Module, fx.Populate(&g),
			fx.Supply(connection.Over(l.process("worker")), slog.New(log)),
			fx.Supply(fx.Annotated{Group: "bunnicula.connections", Target: connection.NamedConnection{Name: "billing", Connection: connection.Over(l.process("billing"))}}),
			monitoring.Provide(func() monitoring.Monitor { return ending{ends} }),
		)
		l.must(a.Start(context.Background()))
		c, err := g.Add(context.Background(), consumer.Spec{Queue: "acme", Handler: ack})
		l.must(err)
		if c.Name() != "acme" || g.Consumer("acme") != c || !g.Ready() {
			t.Errorf("%+v", g.Health())
		}
		log.want(t, slog.LevelInfo, started, map[string]any{"consumer": "acme", "queue": "acme"})
		_, err = g.Add(context.Background(), consumer.Spec{Queue: "invoices", Connection: "billing", Handler: ack})
		l.must(err)
		l.publish("acme", "a")
		if got := <-ends; got != "a" {
			t.Error(got)
		}
		for _, row := range []struct {
			spec consumer.Spec
			want []string
		}{
			{consumer.Spec{Queue: "globex"}, []string{`consumer "globex"`, "Handler"}},
			{consumer.Spec{Queue: "globex", Handler: ack, Connection: "shipping"}, []string{`consumer "globex"`, `Connection is "shipping"`, `["billing"]`}},
			{consumer.Spec{Queue: "globex", Connection: "shipping"}, []string{"Handler", `Connection is "shipping"`}},
			{consumer.Spec{Queue: "acme", Handler: ack}, []string{`consumer "acme": add: `, "in the group already"}},
		} {
			c, err := g.Add(context.Background(), row.spec)
			if wantError(t, err, row.want...); c != nil {
				t.Error("there is a consumer beside the error")
			}
		}
		l.must(a.Stop(context.Background()))
		_, err = g.Add(context.Background(), consumer.Spec{Queue: "globex", Handler: ack})
		wantError(t, err, `consumer "globex": add: the group was stopped`)
	})
}

// ending tells of each message that has ended.
type ending struct{ ids chan string }

func (ending) Begin(ctx context.Context, _ monitoring.Delivery) context.Context { return ctx }

func (e ending) End(_ context.Context, d monitoring.Delivery, _ monitoring.Outcome) {
	e.ids <- d.MessageID
}
