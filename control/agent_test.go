package control_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/bunnicula-go/bunnicula/brokertest"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/control"
	"github.com/bunnicula-go/bunnicula/publisher"
)

// simulatedProcess starts an instance on a process of its own.
func simulatedProcess(t *testing.T, b *brokertest.Broker, cfg control.AgentConfig, handler consumer.Handler, queues ...string) *instance {
	t.Helper()
	return run(t, b.Process("worker").Connection(), cfg, handler, queues...)
}

// ordersOf are the ids of the orders that consumers of a fleet obey, each once.
func ordersOf(t *testing.T, f *control.Fleet) (ids []string) {
	t.Helper()
	all, err := f.Processes(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		for _, m := range p.Consumers {
			ids = append(ids, m.OrderID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func TestAPauseHoldsOverARestartAndEndsByItself(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		all := []*instance{simulatedProcess(t, b, control.AgentConfig{}, acks, "orders", "mails"), simulatedProcess(t, b, control.AgentConfig{}, acks, "orders")}
		fleet := fleetOf(t, b.Connection(), "")
		receipt, err := fleet.Pause(t.Context(), control.Command{Consumers: []string{"orders"}, For: time.Hour, Why: "the bank is down"})
		if err != nil || len(receipt.Obeyed) != 2 || len(receipt.Orders) != 1 || len(receipt.Obeyed[0].Consumers) != 1 {
			t.Fatalf("%+v, %v", receipt, err)
		}
		paused := func(want bool) {
			t.Helper()
			synctest.Wait() // for the subscription to end
			for i, p := range all {
				if h := p.all[0].Health(); h.Paused != want || h.Subscribed == want {
					t.Errorf("process %d: %+v, want paused %v", i, h, want)
				}
			}
		}
		paused(true)
		if h := all[0].all[1].Health(); h.Paused {
			t.Error("the pause of orders has paused mails")
		}
		all[0].stop()
		all[1].stop()
		b.Restart(10 * time.Second)
		time.Sleep(11 * time.Second)
		all = []*instance{simulatedProcess(t, b, control.AgentConfig{}, acks, "orders"), simulatedProcess(t, b, control.AgentConfig{}, acks, "orders")}
		paused(true)
		time.Sleep(time.Hour - 20*time.Second)
		paused(true)
		time.Sleep(time.Minute)
		paused(false)
		if orders, err := fleet.Orders(t.Context()); err != nil || len(orders) != 0 {
			t.Errorf("after its end %+v stand, %v", orders, err)
		}
	})
}

func TestOfContradictingOrdersOneWinsEverywhere(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		for range 5 {
			simulatedProcess(t, b, control.AgentConfig{}, acks, "orders")
		}
		fleets := []*control.Fleet{fleetOf(t, b.Process("a").Connection(), ""), fleetOf(t, b.Process("b").Connection(), "")}
		for range 5 {
			ended := make(chan error, 2)
			for i, f := range fleets {
				go func() {
					var err error
					if c := (control.Command{Consumers: []string{"orders"}, Forever: true}); i == 0 {
						_, err = f.Pause(t.Context(), c)
					} else {
						_, err = f.Resume(t.Context(), control.Command{Consumers: []string{"orders"}})
					}
					ended <- err
				}()
			}
			if err := errors.Join(<-ended, <-ended); err != nil {
				t.Fatal(err)
			}
			late := simulatedProcess(t, b, control.AgentConfig{}, acks, "orders")
			if ids := ordersOf(t, fleets[0]); len(ids) != 1 {
				t.Errorf("consumers obey the orders %q, want one everywhere", ids)
			}
			late.stop()
		}
	})
}

// An app runs for 40 days with a pause that stands for ever, while other orders fill the stream,
// which keeps 7 days. Whoever comes then knows the pause.
func TestAPauseOutlivesTheAgeOfTheStream(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		short := control.AgentConfig{MaxAge: 2 * time.Hour}
		simulatedProcess(t, b, short, acks, "orders", "mails")
		fleet := fleetOf(t, b.Connection(), "")
		if _, err := fleet.Pause(t.Context(), control.Command{Consumers: []string{"orders"}, Forever: true, By: "anna", Why: "moves"}); err != nil {
			t.Fatal(err)
		}
		for range 80 { // almost three times the age, a segment of 1 MiB each 18 minutes
			time.Sleep(4*time.Minute + 17*time.Second)
			if err := b.Publisher().Publish(t.Context(), control.ControlStream, make([]byte, 300<<10), publisher.Exchange(control.ControlStream)); err != nil {
				t.Fatal(err)
			}
		}
		if n := b.Status(control.ControlStream).Ready; n > 60 {
			t.Errorf("%d records are there, the broker has dropped none", n)
		}
		late := simulatedProcess(t, b, short, acks, "orders")
		if h := late.all[0].Health(); !h.PausedByOrder || !strings.Contains(h.OrderedWhy, "anna") {
			t.Errorf("who comes late has %+v", h)
		}
		if warning, err := late.agent.Health(); warning != "" || err != nil {
			t.Errorf("%s, %v", warning, err)
		}
	})
}

func TestADeletedStreamLeavesTheConsumersAsTheyAre(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		log := new(journal)
		p := simulatedProcess(t, b, control.AgentConfig{Logger: log.logger()}, acks, "orders", "mails")
		fleet := fleetOf(t, b.Connection(), "")
		if _, err := fleet.Pause(t.Context(), control.Command{Consumers: []string{"orders"}, For: time.Hour}); err != nil {
			t.Fatal(err)
		}
		b.Delete(control.ControlStream)
		time.Sleep(10 * time.Second)
		if h := p.all[0].Health(); !h.Paused {
			t.Errorf("orders: %+v", h)
		}
		if h := p.all[1].Health(); !h.Subscribed {
			t.Errorf("mails: %+v", h)
		}
		if len(log.lines("orders may be missed")) != 1 || len(log.lines("orders are read again")) != 1 {
			t.Errorf("the log has %q", log.lines("orders"))
		}
		// The process has declared it again, and has written there what it knew.
		late := simulatedProcess(t, b, control.AgentConfig{}, acks, "orders")
		if h := late.all[0].Health(); !h.PausedByOrder {
			t.Errorf("who comes later has %+v", h)
		}
		if _, err := fleet.Resume(t.Context(), control.Command{Consumers: []string{"orders"}}); err != nil {
			t.Fatal(err)
		}
		if h := p.all[0].Health(); h.Paused {
			t.Errorf("a resume by the new stream leaves %+v", h)
		}
	})
}

// All but one partition are paused. Who reads the new stream alone must not take the exception for
// an order that is missing, whatever name the consumer has.
func TestInADeletedStreamAPartitionThatWasResumedIsNotForgotten(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		start := func() *consumer.Consumer {
			conn := b.Process("worker").Connection()
			c, err := consumer.New(conn, consumer.Spec{Queue: "orders.p01", Name: "ledger", Handler: acks, Backoff: []time.Duration{time.Second}}, nil, quiet())
			if err != nil {
				t.Fatal(err)
			}
			runs(t, conn, control.AgentConfig{Logger: quiet()}, c)
			return c
		}
		start()
		simulatedProcess(t, b, control.AgentConfig{}, acks, "orders.p00", "orders.p02")
		fleet := fleetOf(t, b.Connection(), "")
		if _, err := fleet.Pause(t.Context(), control.Command{Consumers: []string{"orders"}, Forever: true}); err != nil {
			t.Fatal(err)
		}
		if _, err := fleet.Resume(t.Context(), control.Command{Consumers: []string{"ledger", "orders.p02"}}); err != nil {
			t.Fatal(err)
		}
		b.Delete(control.ControlStream)
		time.Sleep(10 * time.Second)
		late := simulatedProcess(t, b, control.AgentConfig{}, acks, "orders.p00", "orders.p02")
		if rest, resumed, named := late.all[0].Health(), late.all[1].Health(), start().Health(); !rest.PausedByOrder || resumed.Paused || named.Paused {
			t.Errorf("who comes later has %+v, %+v and %+v", rest, resumed, named)
		}
	})
}

func TestAConsumerThatIsAddedUnderAPauseBeginsPaused(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		p := simulatedProcess(t, b, control.AgentConfig{}, acks, "orders")
		fleet := fleetOf(t, b.Connection(), "")
		if _, err := fleet.Pause(t.Context(), control.Command{Consumers: []string{"customer-7"}, Forever: true, Anyway: true}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // for the process to read it: nobody is concerned who would answer
		c, err := consumer.New(b.Connection(), consumer.Spec{Queue: "customer-7", Handler: acks}, nil, quiet())
		if err != nil {
			t.Fatal(err)
		}
		if err := p.group.AddConsumer(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if h := c.Health(); !h.PausedByOrder || h.Subscribed {
			t.Errorf("%+v", h)
		}
		if err := p.group.RemoveConsumer(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if all, err := fleet.Processes(t.Context(), 0, "customer-7"); err != nil || len(all) != 0 {
			t.Errorf("after its removal %+v have it, %v", all, err)
		}
	})
}

func TestAnOrderForAQueueIsOneForItsPartitions(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		p := simulatedProcess(t, b, control.AgentConfig{}, acks, "orders.p00", "orders.p01", "mails")
		fleet := fleetOf(t, b.Connection(), "")
		state := func() (paused []bool) {
			for _, c := range p.all {
				paused = append(paused, c.Health().Paused)
			}
			return paused
		}
		for _, step := range []struct {
			pause bool
			of    string
			want  []bool
		}{
			{true, "orders", []bool{true, true, false}},
			{false, "orders.p01", []bool{true, false, false}},
			{true, "orders.p0*", []bool{true, true, false}},
			{false, "orders", []bool{false, false, false}}, // also those that were paused by name
		} {
			var err error
			if step.pause {
				_, err = fleet.Pause(t.Context(), control.Command{Consumers: []string{step.of}, Forever: true})
			} else {
				_, err = fleet.Resume(t.Context(), control.Command{Consumers: []string{step.of}})
			}
			if err != nil || !slices.Equal(state(), step.want) {
				t.Errorf("pause %v of %s: %v, want %v; %v", step.pause, step.of, state(), step.want, err)
			}
		}
		if orders, err := fleet.Orders(t.Context()); err != nil || len(orders) != 0 {
			t.Errorf("%+v stand, %v", orders, err)
		}
	})
}

// A Spec may have any Name. One that no record can have must not keep a pause of all from the rest.
func TestAConsumerOfAStrangeNameIsPausedToo(t *testing.T) {
	for _, name := range []string{strings.Repeat("n", 300), "a\xff\xfeb", "a*b", "a\nb", "*"} {
		brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
			conn := b.Process("worker").Connection()
			c, err := consumer.New(conn, consumer.Spec{Queue: "orders", Name: name, Handler: acks, Backoff: []time.Duration{time.Second}}, nil, quiet())
			if err != nil {
				t.Fatal(err)
			}
			runs(t, conn, control.AgentConfig{}, c)
			fleet := fleetOf(t, b.Connection(), "")
			for _, want := range []string{"*", "shown"} {
				all, err := fleet.Processes(t.Context(), 0)
				if err != nil || len(all) != 1 {
					t.Fatal(all, err)
				}
				if want == "shown" {
					want = all[0].Consumers[0].Name
				}
				if r, err := fleet.Pause(t.Context(), control.Command{Consumers: []string{want}, Forever: true}); err != nil || len(r.Obeyed) != 1 || r.Silent != 0 || !c.Health().Paused {
					t.Errorf("%.20q: %+v, %v", name, r, err)
				}
				if _, err := fleet.Resume(t.Context(), control.Command{Consumers: []string{want}}); err != nil || c.Health().Paused {
					t.Errorf("%.20q is paused: %v", name, err)
				}
			}
		})
	}
}

func TestBadCommandsAreRefusedAndChangeNothing(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		simulatedProcess(t, b, control.AgentConfig{}, acks, "orders", "mails")
		fleet := fleetOf(t, b.Connection(), "")
		var unknown *control.UnknownError
		_, err := fleet.Pause(t.Context(), control.Command{Consumers: []string{"order", "o*s"}, Forever: true})
		if !errors.As(err, &unknown) || !slices.Equal(unknown.Consumers, []string{"order"}) || !slices.Equal(unknown.There, []string{"mails", "orders"}) {
			t.Errorf("a consumer that nobody has: %v", err)
		}
		var limit *control.LimitError
		_, err = fleet.Limit(t.Context(), 5, control.Command{Consumers: []string{"orders"}, Forever: true})
		if !errors.As(err, &limit) || limit.Concurrency != 4 || limit.Limit != 5 || limit.Consumer != "orders" {
			t.Errorf("a limit above the concurrency: %v", err)
		}
		for want, c := range map[string]control.Command{
			"Consumers is empty": {Forever: true},
			"name of 0 bytes":    {Consumers: []string{""}, Forever: true},
			"For is 0s":          {Consumers: []string{"orders"}},
			"For is -1s":         {Consumers: []string{"orders"}, For: -time.Second},
			"Forever is set":     {Consumers: []string{"orders"}, For: time.Hour, Forever: true},
			"Why has 501 bytes":  {Consumers: []string{"orders"}, For: time.Hour, Why: strings.Repeat("w", 501)},
			"Wait is -1s":        {Consumers: []string{"orders"}, For: time.Hour, Wait: -time.Second},
		} {
			if _, err := fleet.Pause(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: got %v, want %q", c, err, want)
			}
		}
		if _, err := fleet.Limit(t.Context(), 0, control.Command{Consumers: []string{"orders"}, Forever: true}); err == nil || !strings.Contains(err.Error(), "the limit is 0") {
			t.Errorf("a limit of 0: %v", err)
		}
		if _, err := fleet.Resume(t.Context(), control.Command{Consumers: []string{"orders"}, For: time.Hour}); err == nil || !strings.Contains(err.Error(), "a resume has no end") {
			t.Errorf("a resume that ends: %v", err)
		}
		if orders, err := fleet.Orders(t.Context()); err != nil || len(orders) != 0 {
			t.Errorf("%+v stand, %v", orders, err)
		}
	})
}

// The broker is away when the process starts. When it comes back, nothing is handled before the
// orders are known.
func TestNothingIsHandledBeforeTheOrdersAreKnown(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		first := simulatedProcess(t, b, control.AgentConfig{}, acks, "orders")
		fleet := fleetOf(t, b.Connection(), "")
		if _, err := fleet.Pause(t.Context(), control.Command{Consumers: []string{"orders"}, Forever: true}); err != nil {
			t.Fatal(err)
		}
		first.stop()
		if err := b.Publisher().Publish(t.Context(), "orders", 1); err != nil {
			t.Fatal(err)
		}
		b.Restart(time.Minute)
		b.Full(control.ControlStream, 75*time.Second) // so it is not read before, and nothing else holds up the consumer
		handled := 0
		p := simulatedProcess(t, b, control.AgentConfig{Patience: 40 * time.Second}, func(context.Context, consumer.Delivery) consumer.Result {
			handled++
			return consumer.Ack()
		}, "orders")
		time.Sleep(5 * time.Minute)
		if h := p.all[0].Health(); handled > 0 || !h.PausedByOrder || !strings.Contains(h.OrderedWhy, "ordered by") {
			t.Errorf("%d were handled, and the consumer is %+v", handled, h)
		}
	})
}

// The Agent's broker is away, and the consumer has a connection to another one.
func TestAConsumerWorksWhenTheAgentsPatienceEnds(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		other, log := brokertest.New(t), new(journal)
		other.Restart(time.Hour)
		agent, err := control.NewAgent(other.Connection(), control.AgentConfig{Patience: 3 * time.Second, Logger: log.logger()})
		if err != nil {
			t.Fatal(err)
		}
		c, err := consumer.New(b.Connection(), consumer.Spec{Queue: "orders", Handler: acks}, nil, quiet())
		if err != nil {
			t.Fatal(err)
		}
		group, err := consumer.NewGroup(c)
		if err != nil {
			t.Fatal(err)
		}
		group.Oversee(agent)
		if err := errors.Join(agent.Start(t.Context()), group.Start(t.Context())); err != nil {
			t.Fatal(err)
		}
		if h := c.Health(); !h.PausedByOrder {
			t.Errorf("it works before the patience ends: %+v", h)
		}
		time.Sleep(5 * time.Second)
		if h := c.Health(); !h.Subscribed || len(log.lines("consumers work although their orders are not known yet")) != 1 {
			t.Errorf("%+v, and the log has %q", h, log.lines("consumers"))
		}
		if warning, err := agent.Health(); !strings.Contains(warning, "the stream of orders was not read yet") || err != nil {
			t.Errorf("%q, %v", warning, err)
		}
		if err := errors.Join(group.Stop(t.Context()), agent.Stop(t.Context())); err != nil {
			t.Error(err)
		}
	})
}

func TestAnOrderByAnotherExchangeIsIgnored(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		log := new(journal)
		p := simulatedProcess(t, b, control.AgentConfig{Logger: log.logger()}, acks, "orders")
		order := map[string]any{"version": 1, "id": "x", "kind": "pause", "consumers": []string{"orders"}, "seq": 1, "at": time.Now()}
		for range 2 {
			if err := b.Publisher().Publish(t.Context(), control.ControlStream, order); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if h := p.all[0].Health(); h.Paused || len(log.lines("did not come by its exchange")) != 1 {
			t.Errorf("%+v, and the log has %q", h, log.lines("WARN"))
		}
		if err := b.Publisher().Publish(t.Context(), control.ControlStream, order, publisher.Exchange(control.ControlStream)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if h := p.all[0].Health(); !h.Paused {
			t.Errorf("by its exchange: %+v", h)
		}
	})
}

func TestWhatRunsIsShown(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, b *brokertest.Broker) {
		open := make(chan struct{})
		p := simulatedProcess(t, b, control.AgentConfig{}, func(context.Context, consumer.Delivery) consumer.Result {
			<-open
			return consumer.Ack()
		}, "orders")
		if err := b.Publisher().Publish(t.Context(), "orders", 1); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		all, err := fleetOf(t, b.Connection(), "").Processes(t.Context(), 0)
		if err != nil || len(all) != 1 || len(all[0].Consumers) != 1 {
			t.Fatalf("%+v, %v", all, err)
		}
		m := all[0].Consumers[0]
		if m.Name != "orders" || m.Concurrency != 4 || m.Limit != 4 || m.RunningCount != 1 || len(m.Running) != 1 || m.Running[0].Attempt != 1 || m.Running[0].MessageID == "" {
			t.Errorf("%+v", m)
		}
		if all[0].PID == 0 || all[0].Started.IsZero() || all[0].App != "worker" {
			t.Errorf("%+v", all[0])
		}
		close(open)
		p.stop()
	})
}
