package consumer_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/fx"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/internal/simulated"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
)

// lines is a slog.Handler that keeps what is logged.
type lines struct {
	shared *struct {
		sync.Mutex
		all []line
	}
	attrs []slog.Attr
}

// line is one record, with all its attributes.
type line struct {
	level   slog.Level
	message string
	attrs   map[string]any
}

func newLines() *lines {
	return &lines{shared: new(struct {
		sync.Mutex
		all []line
	})}
}

func (*lines) Enabled(context.Context, slog.Level) bool { return true }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	one := line{r.Level, r.Message, map[string]any{}}
	for _, a := range l.attrs {
		one.attrs[a.Key] = a.Value.Any()
	}
	r.Attrs(func(a slog.Attr) bool { one.attrs[a.Key] = a.Value.Any(); return true })
	l.shared.Lock()
	defer l.shared.Unlock()
	l.shared.all = append(l.shared.all, one)
	return nil
}

func (l *lines) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &lines{shared: l.shared, attrs: append(slices.Clone(l.attrs), attrs...)}
}

func (l *lines) WithGroup(string) slog.Handler { return l }

// of returns the lines whose message begins like that.
func (l *lines) of(message string) (all []line) {
	l.shared.Lock()
	defer l.shared.Unlock()
	for _, one := range l.shared.all {
		if strings.HasPrefix(one.message, message) {
			all = append(all, one)
		}
	}
	return all
}

// want asserts that there is exactly one line of this message, with this level and attributes.
func (l *lines) want(t *testing.T, level slog.Level, message string, attrs map[string]any) {
	t.Helper()
	all := l.of(message)
	if len(all) != 1 || all[0].level != level {
		t.Errorf("%q was logged as %v, want it once at %s", message, all, level)
		return
	}
	for name, want := range attrs {
		if got := all[0].attrs[name]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q has %s=%v, want %v", message, name, got, want)
		}
	}
}

// logged makes a consumer that logs to lines, and that the end of the test stops.
func (l *lab) logged(p *simulated.Process, spec consumer.Spec) (*consumer.Consumer, *lines) {
	l.Helper()
	log := newLines()
	c, err := consumer.New(connection.Over(p), spec, monitoring.Nop{}, slog.New(log))
	l.must(err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.consumers = append(l.consumers, c)
	return c, log
}

const (
	started = "consumer started"
	isBack  = "consumer is back"
	lost    = "consumer interrupted"
	waits   = "consumer waits"
	stops   = "consumer stops"
	stopped = "consumer stopped"
	hurried = "the stop gives handlers less time than their Timeout"
	outlive = "handler outlives the stop"
	stretch = "a delay is stretched by the retry queues"
)

func TestAConsumerLogsThatItBeganThatItIsBackAndThatItStops(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		c, log := l.logged(l.process("worker"), consumer.Spec{Queue: "orders", Name: "billing", Concurrency: 3, Timeout: time.Minute, Handler: ack})
		l.must(c.Start(context.Background()))
		log.want(t, slog.LevelInfo, started, map[string]any{
			"consumer": "billing", "queue": "orders", "concurrency": 3, "prefetch": 10, "timeout": "1m0s", "paused": false, "broker": simulated.RabbitMQ4,
		})
		c.Pause()
		time.Sleep(time.Second)
		c.Resume()
		time.Sleep(time.Second)
		if n := len(log.of(isBack)); n != 0 {
			t.Errorf("after a pause %d lines say that it is back", n)
		}
		l.loseLink("worker", c)
		l.wait(time.Minute, "it is back", func() bool { return c.Health().Subscribed })
		log.want(t, slog.LevelInfo, isBack, map[string]any{"consumer": "billing", "queue": "orders", "broker": simulated.RabbitMQ4})
		log.want(t, slog.LevelInfo, started, nil)

		ctx, cancel := context.WithTimeout(context.Background(), 80*time.Second)
		defer cancel()
		l.must(c.Stop(ctx))
		l.must(c.Stop(ctx))
		log.want(t, slog.LevelInfo, stops, map[string]any{"consumer": "billing", "queue": "orders", "running": 0, "handlers_have": "1m18s"})
		if n := len(log.of(hurried)); n != 0 {
			t.Errorf("%d warnings say that a minute does not fit 78 s", n)
		}
	})
}

func TestAConsumerThatIsPausedOrCannotStartSaysWhatIsTrue(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		c, log := l.logged(l.process("worker"), consumer.Spec{Queue: "orders", Timeout: consumer.NoTimeout, Handler: ack})
		c.Pause()
		l.must(c.Start(context.Background()))
		c.Resume()
		l.wait(time.Minute, "it takes messages", func() bool { return c.Health().Subscribed })
		log.want(t, slog.LevelInfo, started, map[string]any{"paused": true, "timeout": "none"})

		never, log := l.logged(l.process("never"), consumer.Spec{Queue: "orders", Handler: ack})
		l.must(never.Stop(context.Background()))
		if n := len(log.shared.all); n != 0 {
			t.Errorf("a consumer that never began has logged %v", log.shared.all)
		}
	})
}

func TestWhatALogSaysWhileThereIsNoBroker(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		c, log := l.logged(l.process("worker"), consumer.Spec{Queue: "orders", Handler: ack})
		l.must(c.Start(context.Background()))
		lazy := l.process("lazy")
		lazy.SetLazy()
		late, began := l.logged(lazy, consumer.Spec{Queue: "orders", Handler: ack})
		l.sim.Restart(25 * time.Second)
		l.must(late.Start(context.Background()))
		l.wait(time.Minute, "both work", func() bool { return c.Health().Subscribed && late.Health().Subscribed })
		log.want(t, slog.LevelWarn, lost, map[string]any{"consumer": "orders"})
		log.want(t, slog.LevelInfo, isBack, nil)
		began.want(t, slog.LevelInfo, started, nil)
		if a, b, never := len(log.of(waits)), len(began.of(waits)), len(began.of(lost)); a != 2 || b != 2 || never != 0 {
			t.Errorf("%d and %d lines say that a consumer waits, want 2 each; %d that one was interrupted which had not begun", a, b, never)
		}
	})
}

func TestAStopThatWaitsForHandlersSaysWhenItEnded(t *testing.T) {
	for name, row := range map[string]struct {
		messages int
		want     map[string]any // nil is no line
	}{
		"two run":  {2, map[string]any{"consumer": "orders", "queue": "orders", "awaited": 2, "took": "29s"}},
		"none run": {0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, usual, func(l *lab) {
				slow := func(context.Context, consumer.Delivery) consumer.Result {
					time.Sleep(30 * time.Second)
					return consumer.Ack()
				}
				c, log := l.logged(l.process("worker"), consumer.Spec{Queue: "orders", Handler: slow})
				l.must(c.Start(context.Background()))
				l.publishMany("orders", row.messages)
				time.Sleep(time.Second)
				l.must(c.Stop(context.Background()))
				l.must(c.Stop(context.Background()))
				if row.want != nil {
					log.want(t, slog.LevelInfo, stopped, row.want)
				} else if n := len(log.of(stopped)); n != 0 {
					t.Errorf("%d lines say that a stop has waited", n)
				}
			})
		})
	}
}

func TestAStopThatGivesHandlersLessThanTheirTimeoutIsWarnedAboutOnce(t *testing.T) {
	for name, row := range map[string]struct {
		timeout, deadline time.Duration
		want              string // handlers_have; "" is no warning
	}{
		"far too short":     {time.Minute, 15 * time.Second, "13s"},
		"just the timeout":  {time.Minute, time.Minute, "58s"},
		"enough":            {time.Minute, 62 * time.Second, ""},
		"a short deadline":  {time.Second, time.Second, "750ms"},
		"no deadline":       {time.Minute, 0, ""},
		"no timeout":        {consumer.NoTimeout, time.Second, ""},
		"it is over before": {time.Minute, time.Nanosecond, "0s"},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, usual, func(l *lab) {
				c, log := l.logged(l.process("worker"), consumer.Spec{Queue: "orders", Timeout: row.timeout, Handler: ack})
				l.must(c.Start(context.Background()))
				ctx, cancel := context.Background(), context.CancelFunc(func() {})
				if row.deadline > 0 {
					ctx, cancel = context.WithTimeout(ctx, row.deadline)
				}
				defer cancel()
				_, _ = c.Stop(ctx), c.Stop(ctx)
				if row.want != "" {
					log.want(t, slog.LevelWarn, hurried, map[string]any{"consumer": "orders", "timeout": row.timeout, "handlers_have": row.want})
				} else if n := len(log.of(hurried)); n != 0 {
					t.Errorf("%d warnings", n)
				}
			})
		})
	}
}

func TestHandlersThatOutliveTheStopAreNamedWithWhatTheyHaveRun(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		free := make(chan struct{})
		c, log := l.logged(l.process("worker"), consumer.Spec{
			Queue: "orders", Concurrency: 25, Timeout: 30 * time.Second, Grace: time.Hour,
			Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
				if d.MessageID != "orders26" {
					<-free
				}
				return consumer.Ack()
			},
		})
		l.must(c.Start(context.Background()))
		for i := range 26 { // the last one ends at once
			l.publish("orders", fmt.Sprintf("orders%d", 26-i))
			time.Sleep(time.Second)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
		defer cancel()
		if err := c.Stop(ctx); err == nil || !strings.Contains(err.Error(), "25 handlers still run") {
			t.Errorf("the error is %v", err)
		}
		log.want(t, slog.LevelInfo, stops, map[string]any{"running": 25, "handlers_have": "3s"})
		all := log.of(outlive)
		if len(all) != 20 {
			t.Fatalf("%d handlers are named", len(all))
		}
		for i, one := range all { // the longest first
			id, running := fmt.Sprintf("orders%d", 25-i), time.Duration(25-i+4)*time.Second
			took, _ := one.attrs["running"].(time.Duration)
			if one.level != slog.LevelError || one.attrs["consumer"] != "orders" || one.attrs["message_id"] != id || one.attrs["attempt"] != int64(1) ||
				one.attrs["stuck"] != false || took < running || took > running+200*time.Millisecond {
				t.Errorf("line %d is %v, want %s after %s", i, one, id, running)
			}
		}
		log.want(t, slog.LevelError, "more handlers outlive the stop", map[string]any{"handlers": 5})
		close(free)
	})
}

func TestAGroupOfManyConsumersLogsOneLineForAll(t *testing.T) {
	for _, n := range []int{10, 11} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			inLab(t, usual, func(l *lab) {
				log, p := newLines(), l.process("worker")
				var all []*consumer.Consumer
				for i := range n {
					spec := consumer.Spec{Queue: fmt.Sprintf("queue%d", i), Timeout: time.Duration(i+5) * time.Second, Concurrency: 2, Handler: ack}
					c, err := consumer.New(connection.Over(p), spec, monitoring.Nop{}, slog.New(log))
					l.must(err)
					all = append(all, c)
				}
				g, err := consumer.NewGroup(all...)
				l.must(err)
				l.must(g.Start(context.Background()))
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
				defer cancel()
				l.must(g.Stop(ctx))
				l.must(g.Stop(ctx))
				for _, message := range []string{started, stops} {
					each := log.of(message)
					if len(each) != n || (each[0].level == slog.LevelDebug) != (n > 10) {
						t.Errorf("%s: %d lines, the first is %v", message, len(each), each[0])
					}
				}
				if n > 10 {
					log.want(t, slog.LevelInfo, "consumers started", map[string]any{"consumers": n, "concurrency": 2 * n})
					log.want(t, slog.LevelInfo, "consumers stop", map[string]any{"consumers": n, "running": 0, "handlers_have": "8s"})
				} else if len(log.of("consumers")) != 0 {
					t.Errorf("a small group logs %v", log.of("consumers"))
				}
				slowest := fmt.Sprintf("queue%d", n-1)
				log.want(t, slog.LevelWarn, hurried, map[string]any{"consumer": slowest, "timeout": time.Duration(n+4) * time.Second, "consumers": n - 4})
			})
		})
	}
}

func TestADelayThatTheQueuesStretchIsWarnedAboutOnceAnHour(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		c, log := l.logged(l.process("worker"), consumer.Spec{
			Queue: "orders", Backoff: []time.Duration{time.Minute},
			Handler: func(_ context.Context, d consumer.Delivery) consumer.Result {
				if string(d.Body) == "long" {
					return consumer.Snooze(time.Minute)
				}
				return consumer.Snooze(2 * time.Second)
			},
		})
		l.must(c.Start(context.Background()))
		l.publishBody("orders", "patient", []byte("long"))
		time.Sleep(10 * time.Second)
		if n := len(log.of(stretch)); n != 0 {
			t.Fatalf("%d warnings about a delay that a queue has", n)
		}
		l.publish("orders", "hasty")
		time.Sleep(50 * time.Minute)
		log.want(t, slog.LevelWarn, stretch, map[string]any{"consumer": "orders", "queue": "orders", "asked": "2s", "became": "1m0s"})
		time.Sleep(time.Hour)
		if n := len(log.of(stretch)); n != 2 {
			t.Errorf("%d warnings in two hours, want one an hour", n)
		}
	})
}

func TestAnAppWithoutConsumersIsWarned(t *testing.T) {
	const message = "no consumer runs"
	for name, option := range map[string]fx.Option{"none": fx.Options(), "one": consumer.Provide(orders)} {
		log := newLines()
		a := fx.New(fx.NopLogger, connection.Module, consumer.Module, fx.Supply(connection.Config{URL: "amqp://127.0.0.1:1"}, slog.New(log)), option)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		_ = a.Start(ctx) // there is no broker
		cancel()
		if name == "none" {
			log.want(t, slog.LevelWarn, message, nil)
			if all := log.of(message); len(all) == 1 && !strings.Contains(all[0].message, "consumer.Provide") {
				t.Errorf("the warning does not say what to do: %s", all[0].message)
			}
		} else if len(log.of(message)) != 0 {
			t.Errorf("an app with a consumer is warned: %v", log.of(message))
		}
		_ = a.Stop(t.Context())
	}
}

func TestAStartThatFailsWarnsOfNoStop(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		p, log := l.process("worker"), newLines()
		broken := consumer.Spec{Queue: "emails", Declare: topology.Never, Handler: ack} // its queue does not exist
		var all []*consumer.Consumer
		for _, spec := range []consumer.Spec{{Queue: "orders", Handler: ack}, broken} {
			c, err := consumer.New(connection.Over(p), spec, monitoring.Nop{}, slog.New(log))
			l.must(err)
			all = append(all, c)
		}
		l.must(all[0].Start(context.Background()))
		g, err := consumer.NewGroup(all...)
		l.must(err)
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		if err := g.Start(ctx); err == nil {
			t.Fatal("the group has started")
		}
		if n := len(log.of(stops)); n != 1 {
			t.Errorf("%d consumers stop, want the one that has begun", n)
		}
		if n := len(log.of(hurried)); n != 0 {
			t.Errorf("%d warnings of a stop that a start has made", n)
		}
	})
}

// A start that fails is reported by who has called Start. A lazy one has returned already.
func TestALazyConsumerLogsWhatKeepsItFromWorking(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		p := l.process("web")
		p.SetLazy()
		fatal := make(chan error, 1)
		c, log := l.logged(p, consumer.Spec{Queue: "emails", Declare: topology.Never, Handler: ack, OnFatal: func(err error) { fatal <- err }})
		l.must(c.Start(context.Background()))
		if err := <-fatal; err == nil {
			t.Error("OnFatal got no error")
		}
		log.want(t, slog.LevelError, "consumer cannot go on until somebody changes something", nil)
	})
}

// What has not begun is not said to have started.
func TestALazyGroupOfManyConsumersDoesNotLogThatTheyStarted(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		p, log := l.process("web"), newLines()
		p.SetLazy()
		var all []*consumer.Consumer
		for i := range 11 {
			c, err := consumer.New(connection.Over(p), consumer.Spec{Queue: fmt.Sprintf("queue%d", i), Declare: topology.Never, Handler: ack}, monitoring.Nop{}, slog.New(log))
			l.must(err)
			all = append(all, c)
		}
		g, err := consumer.NewGroup(all...)
		l.must(err)
		l.must(g.Start(context.Background())) // no queue exists
		time.Sleep(time.Second)
		l.must(g.Stop(context.Background()))
		if n := len(log.of("consumers started")); n != 0 {
			t.Errorf("%d lines say that consumers started which never could", n)
		}
	})
}
