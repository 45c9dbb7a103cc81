package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/monitoring"
	"github.com/bunnicula-go/bunnicula/topology"
)

// of makes consumers of these Specs, each with a handler.
func of(t *testing.T, specs ...Spec) []*Consumer {
	t.Helper()
	var all []*Consumer
	for _, s := range specs {
		s.Handler = everyAck
		all = append(all, quiet(t, s))
	}
	return all
}

func TestAGroupRefusesConsumersInEachOthersWay(t *testing.T) {
	minute := []time.Duration{time.Minute}
	for name, row := range map[string]struct {
		specs []Spec
		want  []string // nil is accepted
	}{
		"none":                     {},
		"two queues":               {specs: []Spec{{Queue: "orders"}, {Queue: "emails"}}},
		"one queue twice":          {[]Spec{{Queue: "orders"}, {Queue: "orders", Name: "again"}}, []string{`"orders"`, "both consume"}},
		"one name twice":           {[]Spec{{Queue: "orders", Name: "shop"}, {Queue: "emails", Name: "shop"}}, []string{`"shop"`, "two of this name"}},
		"a queue's error queue":    {[]Spec{{Queue: "orders"}, {Queue: "orders-error"}}, []string{`"orders-error"`, "error queue"}},
		"a queue's retry queue":    {[]Spec{{Queue: "orders", Backoff: minute}, {Queue: "orders-retry-1m"}}, []string{`"orders-retry-1m"`, "retry queue"}},
		"no delay of that queue":   {specs: []Spec{{Queue: "orders", Backoff: minute}, {Queue: "orders-retry-2m"}}},
		"one error queue for two":  {specs: []Spec{{Queue: "orders", ErrorQueue: "broken"}, {Queue: "emails", ErrorQueue: "broken"}}},
		"an error queue that is a": {[]Spec{{Queue: "orders"}, {Queue: "emails", ErrorQueue: "orders"}}, []string{`"orders"`}},
		"two kinds of error queue": {
			[]Spec{{Queue: "orders", ErrorQueue: "broken"}, {Queue: "emails", ErrorQueue: "broken", QueueType: topology.Classic}},
			[]string{`"broken"`},
		},
		"one queue on two connections": {specs: []Spec{{Queue: "orders"}, {Queue: "orders", Connection: "billing"}}},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := NewGroup(of(t, row.specs...)...)
			if (err != nil) != (row.want != nil) {
				t.Fatalf("the error is %v", err)
			}
			if err == nil {
				if len(g.Consumers()) != len(row.specs) {
					t.Errorf("%d consumers", len(g.Consumers()))
				}
				return
			}
			for _, want := range row.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error lacks %q: %v", want, err)
				}
			}
		})
	}
}

func TestAGroupFindsItsConsumersByName(t *testing.T) {
	all := of(t, Spec{Queue: "orders"}, Spec{Queue: "emails", Name: "mail"})
	g, err := NewGroup(all...)
	if err != nil {
		t.Fatal(err)
	}
	if g.Consumer("orders") != all[0] || g.Consumer("mail") != all[1] || g.Consumer("emails") != nil || !slices.Equal(g.Consumers(), all) {
		t.Error("found others")
	}
	if all[1].Name() != "mail" {
		t.Error(all[1].Name())
	}
}

func TestAnEmptyGroupStartsStopsAndIsReady(t *testing.T) {
	g, err := NewGroup()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(g.Start(t.Context()), g.Stop(t.Context())); err != nil || !g.Ready() || len(g.Health()) != 0 {
		t.Errorf("%v, %v", err, g.Health())
	}
}

func TestAGroupThatCannotStartIsStopped(t *testing.T) {
	all := of(t, Spec{Queue: "orders"}, Spec{Queue: "emails"})
	g, err := NewGroup(all...)
	if err != nil {
		t.Fatal(err)
	}
	err = g.Start(t.Context())
	for _, want := range []string{`consumer "orders": there is no connection to start on`, `consumer "emails": there is no connection to start on`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
	for _, h := range g.Health() {
		if !h.Stopping || h.Ready {
			t.Errorf("%+v", h)
		}
	}
	if g.Ready() {
		t.Error("the group is ready")
	}
	if err := g.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestStartNeedsAConnection(t *testing.T) {
	err := quiet(t, spec(nil)).Start(t.Context())
	if err == nil || err.Error() != `consumer "orders": there is no connection to start on` {
		t.Error(err)
	}
}

func TestAConsumerMayBeStoppedBeforeItStartsAndTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := quiet(t, spec(nil))
		began := time.Now()
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			if err := c.Stop(ctx); err != nil {
				t.Error(err)
			}
			cancel()
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %s to stop nothing", took)
		}
		if h := c.Health(); h.Ready || !h.Stopping || h.Subscribed {
			t.Errorf("%+v", h)
		}
	})
}

func TestAConsumerMayBeStoppedByManyAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := quiet(t, spec(nil))
		errs := make(chan error, 10)
		for range 10 {
			go func() { errs <- c.Stop(t.Context()) }()
		}
		for range 10 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	})
}

// nowhere is a connection to a port that nobody listens on.
func nowhere(t *testing.T) *connection.Connection {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := connection.New(connection.Config{URL: "amqp://" + l.Addr().String(), Name: "shop"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return conn
}

func lost(t *testing.T, s Spec) *Consumer {
	t.Helper()
	c, err := New(nowhere(t), s, monitoring.Nop{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAConsumerThatWasStoppedDoesNotStart(t *testing.T) {
	c := lost(t, spec(nil))
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context()); err == nil || err.Error() != `consumer "orders": it was stopped, make a new one` {
		t.Error(err)
	}
}

func TestStartWaitsForABrokerUntilItsContextEnds(t *testing.T) {
	c := lost(t, spec(nil))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := c.Start(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), `consumer "orders": start: `) {
		t.Errorf("the error is %v", err)
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the error does not say what was waited for: %v", err)
	}
	if err := c.Start(t.Context()); err == nil {
		t.Error("it started again")
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAConsumerThatIsPausedBeforeItStartsSaysSo(t *testing.T) {
	c := quiet(t, spec(nil))
	c.Pause()
	c.Pause()
	if h := c.Health(); !h.Paused || h.Subscribed {
		t.Errorf("%+v", h)
	}
	c.Resume()
	c.Resume()
	if h := c.Health(); h.Paused || h.Ready {
		t.Errorf("%+v", h)
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestHealthNamesTheConsumerAndItsQueue(t *testing.T) {
	h := quiet(t, spec(func(s *Spec) { s.Name = "billing" })).Health()
	if !reflect.DeepEqual(h, Health{Name: "billing", Queue: "orders", Limit: 4}) {
		t.Errorf("%+v", h)
	}
}

func TestProcessNeedsNoBrokerAndSendsNothing(t *testing.T) {
	c := lost(t, spec(func(s *Spec) { s.Handler = returns(Retry(errBoom)) }))
	s := c.Process(t.Context(), delivery(nil))
	if in(s) != (said{monitoring.Retried, monitoring.ReasonRetry, time.Minute}) || attempts(s) != 1 {
		t.Errorf("%+v", s)
	}
	if err := c.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestProcessMayBeCalledFromManyGoroutinesAndAfterStop(t *testing.T) {
	c := quiet(t, spec(func(s *Spec) { s.Concurrency = 1 }))
	if err := c.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	done := make(chan Settlement, 50)
	for range cap(done) {
		go func() { done <- c.Process(context.Background(), delivery(everyType())) }()
	}
	for range cap(done) {
		if s := <-done; s.Action != monitoring.Acked {
			t.Errorf("%+v", s)
		}
	}
}

func TestConsumersLeaveTimeForThoseWhoStopAfterThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for given, want := range map[time.Duration]time.Duration{
			time.Minute:      48 * time.Second, // a fifth is left
			15 * time.Second: 12 * time.Second,
			8 * time.Second:  6 * time.Second,         // 2 s are
			3 * time.Second:  1500 * time.Millisecond, // half is
			time.Second:      500 * time.Millisecond,
		} {
			ctx, cancel := context.WithTimeout(t.Context(), given)
			short, done := shorten(ctx)
			deadline, ok := short.Deadline()
			if left := time.Until(deadline); !ok || left != want {
				t.Errorf("of %s they take %s, want %s", given, left, want)
			}
			done()
			cancel()
		}
		short, done := shorten(t.Context())
		defer done()
		if _, ok := short.Deadline(); ok {
			t.Error("a stop without a deadline got one")
		}
	})
}

func TestHealthAsJSONTellsTheError(t *testing.T) {
	text, err := json.Marshal(Health{Name: "orders", Err: errors.New("no route")})
	if err != nil || !strings.Contains(string(text), `"Name":"orders"`) || !strings.Contains(string(text), `"Err":"no route"`) {
		t.Errorf("%s, %v", text, err)
	}
}
