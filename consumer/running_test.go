package consumer_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/bunnicula-go/bunnicula/connection"
	"github.com/bunnicula-go/bunnicula/consumer"
	"github.com/bunnicula-go/bunnicula/monitoring"
)

// hangs is a handler that does not return before it may.
func hangs(free <-chan struct{}) consumer.Handler {
	return func(context.Context, consumer.Delivery) consumer.Result {
		<-free
		return consumer.Ack()
	}
}

func TestWhatRunsIsToldTheLongestFirstAndAStuckHandlerWithItsStack(t *testing.T) {
	inLab(t, usual, func(l *lab) {
		free := make(chan struct{})
		p := l.process("p")
		made := func(queue string, timeout time.Duration) *consumer.Consumer {
			c, err := consumer.New(connection.Over(p), consumer.Spec{
				Queue: queue, Name: "the " + queue, Concurrency: 2, Timeout: timeout, Grace: time.Second, WhenStuck: consumer.Hold, Handler: hangs(free),
			}, monitoring.Nop{}, quietLog)
			l.must(err)
			return c
		}
		orders, invoices := made("orders", 2*time.Second), made("invoices", time.Hour)
		g, err := consumer.NewGroup(orders, invoices)
		l.must(err)
		l.must(g.Start(context.Background()))
		if all := g.Running(); len(all) != 0 {
			l.Errorf("%+v", all)
		}
		began := time.Now()
		l.publish("orders", "first")
		time.Sleep(time.Second)
		l.publish("invoices", "second")
		l.publish("orders", "")
		time.Sleep(time.Second)
		all := g.Running()
		if len(all) != 3 {
			l.Fatalf("%+v", all)
		}
		first := all[0]
		if first.Consumer != "the orders" || first.Queue != "orders" || first.MessageID != "first" || first.MessageIDGiven || first.Attempt != 1 ||
			first.Since.Sub(began) > 100*time.Millisecond || first.Stuck || first.Stack != "" {
			l.Errorf("%+v", first)
		}
		if all[1].MessageID != "second" || all[1].Consumer != "the invoices" || all[2].MessageID == "" || !all[2].MessageIDGiven {
			l.Errorf("%+v", all)
		}
		time.Sleep(90 * time.Minute) // only simulated
		for _, one := range g.Running() {
			if !one.Stuck || !strings.Contains(one.Stack, "running_test.go") || strings.Contains(one.Stack, "(*Consumer).Running") {
				l.Errorf("%+v", one)
			}
		}
		if n := len(orders.Running()); n != 2 {
			l.Errorf("%d run", n)
		}
		// One that is being removed runs yet.
		removed := make(chan error, 1)
		go func() { removed <- g.Remove(context.Background(), "the orders") }()
		time.Sleep(time.Second)
		if n := len(g.Running()); n != 3 {
			l.Errorf("%d run", n)
		}
		close(free)
		l.must(<-removed)
		if all := g.Running(); len(all) != 0 {
			l.Errorf("%+v", all)
		}
		l.stopGroup(g)
	})
}
